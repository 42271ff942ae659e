"""Names of secrets in languages other than English: words and phrases, by language.

A space in a phrase stands for any separator in a name, or for none: ``mot de passe`` is
also ``mot_de_passe`` and ``MotDePasse``. Accents can be missing.
"""

# Letters of other alphabets look like others on purpose.
# ruff: noqa: RUF001

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from unicodedata import category, normalize

PASSWORDS: Mapping[str, tuple[str, ...]] = {
    "German": ("passwort", "kennwort", "losungswort"),
    "Spanish": ("contraseña", "clave de acceso", "palabra de paso"),
    "French": ("mot de passe", "mdp", "phrase de passe"),
    "Italian": ("parola d'ordine", "parola di accesso", "parola d'accesso"),
    "Portuguese": ("senha", "palavra passe"),
    "Russian": ("пароль", "пароля", "паролем", "кодовое слово"),
    "Chinese": ("密码", "密碼", "口令", "密码短语"),
    "Japanese": ("パスワード", "パスフレーズ", "パスコード", "暗証番号", "合言葉"),
    "Korean": ("비밀번호", "패스워드", "암호"),
    "Hindi": ("पासवर्ड", "कूटशब्द", "गुप्त शब्द", "पासफ़्रेज़"),
    "Arabic": ("كلمة المرور", "كلمة السر", "كلمه المرور", "كلمه السر", "رمز المرور"),
    "Turkish": ("şifre", "şifresi", "parola", "parolası"),
}
SECRETS: Mapping[str, tuple[str, ...]] = {
    "German": (
        *("api schlüssel", "api schluessel", "zugangs schlüssel", "geheimnis"),
        *("geheimer schlüssel", "privater schlüssel", "zugriffs schlüssel"),
    ),
    "Spanish": (
        *("clave api", "clave de api", "clave de la api", "clave secreta", "secreto"),
        *("clave privada", "llave privada", "llave secreta"),
    ),
    "French": (
        *("clé api", "clé d'api", "clé de l'api", "clef api", "clé secrète"),
        *("clé privée", "clé d'accès"),
    ),
    "Italian": (
        *("chiave api", "chiave segreta", "chiave privata", "chiave di accesso"),
        "segreto",
    ),
    "Portuguese": (
        *("chave api", "chave de api", "chave da api", "chave secreta", "segredo"),
        *("chave privada", "chave de acesso"),
    ),
    "Russian": (
        *("секрет", "ключ api", "api ключ", "ключ доступа", "секретный ключ"),
        "закрытый ключ",
    ),
    "Chinese": ("密钥", "密鑰", "秘钥", "秘鑰", "私钥", "私鑰"),
    "Japanese": (
        *("api キー", "秘密鍵", "シークレット", "シークレットキー", "アクセスキー"),
        "秘密キー",
    ),
    "Korean": ("api 키", "비밀키", "비밀 키", "개인키", "시크릿", "액세스 키"),
    "Hindi": ("api कुंजी", "एपीआई कुंजी", "गुप्त कुंजी", "निजी कुंजी"),
    "Arabic": (
        *("مفتاح api", "مفتاح الواجهة", "المفتاح السري", "مفتاح سري"),
        *("مفتاح الوصول", "المفتاح الخاص"),
    ),
    "Turkish": ("api anahtarı", "gizli anahtar", "özel anahtar", "erişim anahtarı"),
}
TOKENS: Mapping[str, tuple[str, ...]] = {
    "German": ("zugangs token", "zugriffs token"),
    "Spanish": ("clave", "ficha de acceso"),
    "French": ("jeton", "jeton d'accès"),
    "Italian": ("gettone di accesso",),
    "Portuguese": ("ficha de acesso",),
    "Russian": ("токен", "токен доступа"),
    "Chinese": ("令牌",),
    "Japanese": ("トークン",),
    "Korean": ("토큰",),
    "Hindi": ("टोकन",),
    "Arabic": ("رمز الوصول", "الرمز المميز", "توكن"),
    "Turkish": ("erişim belirteci",),
}

# What may follow a word for a password without changing what it means, as qualifiers
# do in many languages: `senha_banco`, `пароль_бд`.
_QUALIFIERS = """
    admin api app banco base bd contraseña correo datos dados db dev données email
    mail mysql oracle postgres prod redis root serveur servidor smtp ssh test user
    usuario usuário utilisateur wifi админ админа базы бд почты пользователя сервера
    用户 数据库 أدمن المستخدم
"""

# A letter of a name, with the marks that belong to it.
NAME_CHARACTER = r"[\w\u0300-\u036f\u0900-\u0963\u064b-\u0652\u3099\u309a]"
# A word of at most so many letters counts only at the start of a word.
_SHORT = 5
_SEPARATOR = r"[ _.'’-]{0,2}"


def folded(text: str) -> str:
    """Return a text without accents and in one form of each letter; case is kept."""
    if text.isascii():
        return text
    # The Turkish letter has no accent that could be left out.
    decomposed = normalize("NFKD", text.replace("ı", "i"))
    return "".join(char for char in decomposed if not category(char).startswith("M"))


def _phrases(words: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [phrase for phrases in words.values() for phrase in phrases]


def _joined(phrases: Iterable[str]) -> frozenset[str]:
    """Return phrases as they are when only the letters of a name are left."""
    joined = [re.sub(r"[\W_]+", "", folded(phrase)) for phrase in phrases]
    return frozenset(map(str.lower, joined))


PASSWORD_PHRASES = _joined(_phrases(PASSWORDS))
SECRET_PHRASES = _joined(_phrases(SECRETS))
TOKEN_PHRASES = _joined(_phrases(TOKENS))
QUALIFIERS = _joined(_QUALIFIERS.split())


def search_forms(*, only_ascii: bool) -> list[str]:
    """Return regular expressions for the beginnings of names, in lower case.

    Parameters
    ----------
    only_ascii
        Whether to leave out what cannot occur in a text of ASCII characters.
    """
    forms: set[str] = set()
    for phrase in _phrases(PASSWORDS) + _phrases(SECRETS) + _phrases(TOKENS):
        lowered = phrase.lower()
        without_accents = "".join(map(_without_accent, lowered))
        for form in (lowered, without_accents, lowered.replace("ı", "i")):
            forms |= {normalize("NFC", form), normalize("NFD", form)}
    if only_ascii:
        forms = {form for form in forms if form.isascii()}
    # The longest first, since the first that fits is taken.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return [_form_pattern(form) for form in ordered]


def _without_accent(char: str) -> str:
    """Return a letter of the Latin alphabet without its accent, any other as it is."""
    plain = folded(char)
    return plain if plain.isascii() else char


def _form_pattern(form: str) -> str:
    words = re.split(r"[ ']", form)
    pattern = _SEPARATOR.join(map(re.escape, words))
    if len(form) > _SHORT or not form.isascii():
        return pattern
    # It may be part of any word. That is looked at last, since a pattern that begins
    # with letters is searched for much faster.
    return rf"{pattern}(?<![a-z]{pattern})"
