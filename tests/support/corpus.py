"""Made-up secrets in context, by which recall is measured, and ordinary text around them.

A case is a form, such as ``export {name}={secret}``, with a name that suggests a secret and
a random value, or a vendor's token. All is put together at run time, so that no file
holds a secret. `DEVELOPMENT` was looked at while the redactor was written. `HELD_BACK`, which has
other forms, names and values, was only measured.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator, Sequence
from string import ascii_letters, digits
from typing import NamedTuple

from .vendor_facts import FACTS

_ALNUM = ascii_letters + digits
_HEX = "0123456789abcdef"


class Case(NamedTuple):
    """A text, the secrets in it, and what must stay."""

    form: str
    text: str
    secrets: tuple[str, ...]
    kept: tuple[str, ...] = ()


# `{p}` is a name that suggests a password, `{s}` one that suggests another secret, `{k}` a
# random value, `{w}` a value as people choose it, `{h}` hex digits, `{1}` and `{2}` the
# halves of one.
_FIRST_FORMS = (
    '{p} = "{w}"',
    "{s} = '{k}'",
    "{s}: str = '{h}'",
    'connect(host="db", user="jo", {p}="{w}")',
    "{{'user': 'jo', '{p}': '{w}'}}",
    '{{"user": "jo", "{s}": "{k}"}}',
    "[('user','jo'),('{p}','{k}')]",
    "setattr(c, '{p}', '{w}')",
    "{s} = '{1}' + '{2}'",
    "{s} = ('{1}'\n    '{2}')",
    "{s} = '{1}' \\\n    '{2}'",
    "db:\n  {p}: {k}\n  port: 5432",
    "db:\n  {p}: |\n    {k}\n  port: 5432",
    "users:\n- name: x\n  user:\n    token: {h}",
    "cd x && PGPASSWORD={k} psql",
    "mount -o username=jo,password={k} //host/share /mnt",
    "openssl rsa -passin pass:{k} -in key.pem",
    "http GET example.com X-Auth-Token:{k}",
    "curl -H x-api-key:{k} https://example.com",
    "curl -u jo:{k} https://example.com",
    "https://discord.com/api/v10/webhooks/123456789012345678/{k}{k}{k}",
    "jdbc:oracle:thin:jo/{k}@//host:1521/x",
    "postgresql://jo:{k}@db:5432/x",
    "https://example.com/?user=jo&{s}={k}&page=2",
    "| user | {p} |\n|---|---|\n| jo | {w} |\n| ann | {k} |",
    "user,{p},city\njo,{w},Ulm\nann,{k},Rom",
    "user\t{s}\tcity\njo\t{k}\tUlm\nann\t{h}\tRom",
    " user | {p} \n------+------\n jo   | {w}\n ann  | {k}",
    "   user  {p:>22}\n0    jo  {w:>22}\n1   ann  {k:>22}",
    "┌──────┬────────┐\n│ user ┆ {p} │\n│ str  ┆ str │\n╞══════╪════════╡\n│ jo ┆ {k} │",
    "<table><tr><th>user</th><th>{p}</th></tr><tr><td>jo</td><td>{w}</td></tr></table>",
    "%env {s}={k}",
    "export {s}={k}",
    "{p}={k}\nPORT=1",
    "DB_PASSWORD={w}\nPORT=1",
    "os.environ['{s}'] = '{k}'",
    "os.environ.setdefault('{s}', '{k}')",
    "Server=db;Uid=sa;{p}={k};Encrypt=yes",
    "tool login --user jo --password {k} --host x",
    '"source": ["{s} = \\"{k}\\"\\n"]',
    "<user>jo</user><{p}>{w}</{p}>",
)
_SECOND_FORMS = (
    "cfg.{p} = '{w}'",
    "cfg['{s}']='{k}'",
    "{s}='{k}',",
    "params = dict(user='jo', {p}='{w}', port=5432)",
    "Settings(host='x', {s}='{k}')",
    "if {p} != '{w}':\n    raise SystemExit",
    'config = {{\n  "db": {{\n    "{p}": "{w}"\n  }}\n}}',
    "[db]\nhost = x\n{p} = {k}\n",
    '{s} = "{1}" "{2}"',
    "{s} = f'{1}' + f'{2}'",
    "x = {{'{s}': '{1}'\n       '{2}'}}",
    "creds = [['user', 'jo'], ['{p}', '{k}']]",
    "session.headers['X-Api-Key'] = '{k}'",
    "headers = {{'Authorization': 'Bearer {k}'}}",
    "conf.set('{s}', '{k}')",
    "conf.set('section', '{p}', '{w}')",
    "object.__setattr__(self, '{p}', '{k}')",
    "os.getenv('{s}', '{k}')",
    "os.environ.get('{s}', '{k}')",
    "- name: API_TOKEN\n  value: {k}",
    'env:\n  - name: DB_PASSWORD\n    value: "{w}"',
    "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {w}",
    "services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD={w}",
    "auth:\n  {p}: >-\n    {k}\nnext: 1",
    'auth:\n  {p}: "{w}"\nnext: 1',
    "!export {s}={k} && python run.py",
    "docker run -d -e MYSQL_ROOT_PASSWORD={w} mysql:8",
    "docker run --env DB_PASSWORD={k} app",
    "kubectl create secret generic db --from-literal=password={k}",
    "mysql -u root -p{k} shop",
    "mongosh -u jo -p {k} --host db",
    "sshpass -p {k} ssh jo@host",
    "redis-cli -h cache -a {k} ping",
    "wget --http-user=jo --http-password={k} https://example.com",
    "curl --header 'X-Api-Key: {k}' https://example.com",
    'curl -H "Authorization: token {h}" https://example.com',
    "http -a jo:{k} https://example.com",
    "http POST example.com/login user=jo password={k}",
    "aws configure set aws_secret_access_key {k}{k}",
    "git clone https://jo:{k}@github.com/a/b.git",
    "mongodb+srv://jo:{k}@c0.mongodb.net/x",
    "jdbc:postgresql://db/x?user=jo&password={k}",
    "jdbc:sqlserver://db;user=sa;password={k};encrypt=true",
    "amqp://jo:{k}@mq:5672//",
    "snowflake://jo:{k}@acct/db",
    "wss://example.com/feed?access_token={k}&x=1",
    "https://hooks.slack.com/services/T0{h}/B1/{k}",
    "| id | {s} | note |\n|:--|:--|:--|\n| 1 | {k} | ok |\n| 2 | {h} |  |",
    "id;{p};note\n1;{w};ok\n2;{k};",
    "id,{s}\n1,{k}\n2,{h}\n3,{k}x",
    '"id","{p}","note"\n"1","{w}","a, b"\n"2","{k}",""',
    "+----+------+\n| id | {p} |\n+----+------+\n| 1 | {w} |\n| 2 | {k} |\n+----+------+",
    "id|{p}\n1|{w}\n2|{k}",
    "  {p:>24}\n0 {w:>24}\n1 {k:>24}",
    "id  {p:<24}  city\n--  ------------------------  ----\n1   {w:<24}  Ulm\n2   {k:<24}  Rom",
    "  | {p}\n  | {w}\n  | {k}",
    "┃ id ┃ {p} ┃\n┡━━━━╇━━━━━━┩\n│ 1  │ {w} │\n│ 2  │ {k} │",
    "<table><thead><tr><th></th><th>{s}</th></tr></thead><tbody>"
    "<tr><th>0</th><td>{k}</td></tr><tr><th>1</th><td>{h}</td></tr></tbody></table>",
    "<TR><TD>{p}</TD><TD>{k}</TD></TR>",
    "||  {s}  |  Status  ||\n|+----+----+|\n||  {k}  |  Active  ||",
    "0    {k}\n1    {w}\nName: {p}, dtype: object",
    "{{'{p}': ['{k}', '{w}'], 'user': ['jo', 'ann']}}",
    "{{'{p}': {{0: '{k}', 1: '{w}'}}, 'user': {{0: 'jo', 1: 'ann'}}}}",
    "Row(user='jo', {p}='{w}')",
    "User: jo\nPassword: {k}\n",
    "Login with user jo, password: {k}.",
    "API key: {k}",
    "* Secret key: {k}",
    "INFO connecting with {s}={k}",
    "machine example.com login jo password {k}",
    "CREATE USER jo WITH PASSWORD '{w}';",
    "parser.add_argument('--password', default='{k}')",
    "client = Client(SecretStr('{w}'), {s}=SecretStr('{k}'))",
    "user.set_password('{w}')",
    "print('{p} = {k}')",
    "data = io.StringIO('user,{p}\\njo,{w}\\nann,{k}\\n')",
    '{s}="{k}" python run.py',
    '$env:API_KEY = "{k}"',
    'setx API_KEY "{k}"',
)
_HELD_BACK_FORMS = (
    "self._{p} = '{w}'",
    "DATABASES['default']['{p}'] = \"{w}\"",
    "engine = create_engine('mysql+pymysql://root:{k}@127.0.0.1/shop')",
    "requests.post(url, json={{'login': 'jo', '{p}': '{w}'}})",
    "requests.get(url, auth=('jo', '{k}'))",
    "requests.get(url, params={{'{s}': '{k}', 'q': 'x'}})",
    "with open('.env', 'w') as f:\n    f.write('{s}={k}\\n')",
    "@dataclass\nclass Conf:\n    {s}: str = '{k}'",
    '{s}: Optional[str] = "{k}"',
    'conn = psycopg.connect("host=db dbname=x user=jo password={k}")',
    "smtp.login('jo@example.com', '{k}')",
    "%%bash\nexport {s}={k}\npython run.py",
    "!curl -X POST -H 'Authorization: Bearer {k}' https://example.com",
    "!curl 'https://example.com/items?{s}={k}'",
    "!git remote set-url origin https://{h}@example.com/a/b.git",
    "!docker login -u jo -p {k} registry.example.com",
    "!PGPASSWORD={k} pg_dump shop",
    "[profile]\n{s}={k}\nregion = eu",
    '{s} = "{k}"  # do not commit',
    "spring.datasource.{p}={k}",
    '{{"auths": {{"r": {{"username": "jo", "{p}": "{w}"}}}}}}',
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  any: {k}",
    "- {{name: x, {p}: '{k}'}}",
    "Proxy: http://jo:{k}@proxy.example.com:3128",
    "DEBUG response: {{'{s}': '{k}', 'expires_in': 3600}}",
    "ValueError: bad login for Config(user='jo', {p}='{w}')",
    "----> 3 login('jo', {p}='{k}')",
    "name,{s},active\nx,{k},True\ny,{h},False\n[1,204 lines left out]\nz,{k}y,True",
    "| {p} | hint |\n| --- | --- |\n| {w} | pet |\n| {k} | car |",
    "    name {p:>24}\n3     jo {w:>24}\n7    ann {k:>24}\n\n[2 rows x 2 columns]",
    "name\t{p}\njo\t{w}\nann\t{k}",
    " id |  {s}\n----+------\n  1 | {k}\n  2 | {h}\n(2 rows)",
    "│   name  │ {p} │\n│ varchar │ varchar │\n├─────────┼─────────┤\n│ jo │ {w} │",
    "<tr><th>name</th><th>{p}</th></tr>\n<tr><td>jo</td><td>{k}</td></tr>",
    "{{'name': {{0: 'jo'}}, '{p}': {{0: '{w}'}}}}",
    "[{{'name': 'jo', '{p}': '{w}'}}, {{'name': 'ann', '{p}': '{k}'}}]",
)
_DEVELOPMENT_NAMES = (
    *("password", "db_password", "DB_PASSWORD", "passwd", "smtpPassword"),
    *("contraseña", "mot_de_passe", "senha", "пароль", "密码", "パスワード"),
)
_HELD_BACK_NAMES = (
    *("user_password", "PASSWORD", "pwd", "passphrase", "rootPassword", "userPasswd"),
    *("passwort", "contrasena", "MotDePasse", "senha_banco", "пароль_бд", "用户密码"),
    *("पासवर्ड", "كلمة_المرور", "비밀번호", "şifre", "contraseña_usuario", "口令"),
)
_DEVELOPMENT_SECRETS = (
    "api_key",
    "API_KEY",
    "client_secret",
    "access_token",
    "clave_api",
)
_HELD_BACK_SECRETS = (
    *("apikey", "OPENAI_API_KEY", "secretAccessKey", "auth_token", "SECRET_KEY"),
    *(
        "private_key",
        "githubToken",
        "APIキー",
        "секрет",
        "clé_api",
        "chave_api",
        "密钥",
    ),
)
_WORDS = (
    *("hunter2", "swordfish", "Sommer2024!", "letmein", "Tr0ub4dor&3", "iloveyou"),
    *("p@ssw0rd", "trustno1", "Qwerty123", "dragon99", "monkey7", "abc12345"),
)


def _random_value(rng: random.Random, length: int = 20, alphabet: str = _ALNUM) -> str:
    body = rng.choices(alphabet, k=length)
    body[2], body[5] = rng.choice("23456789"), rng.choice("abcdef")
    return "".join(body)


def _case(form: str, password: str, secret: str, rng: random.Random) -> Case:
    values = {
        "k": _random_value(rng),
        "w": rng.choice(_WORDS),
        "h": _random_value(rng, 32, _HEX),
    }
    joined = _random_value(rng, 24)
    values |= {"1": joined[:12], "2": joined[12:]}
    text = _filled(form, values | {"p": password, "s": secret})
    used = [value for key, value in values.items() if f"{{{key}" in form]
    return Case(form, text, tuple(used))


def _filled(form: str, values: dict[str, str]) -> str:
    text = form.replace("{1}", values["1"]).replace("{2}", values["2"])
    return text.format(**values)


def _cases(
    forms: Sequence[str],
    passwords: Sequence[str],
    secrets: Sequence[str],
    seed: int,
    each: int,
) -> Iterator[Case]:
    rng = random.Random(seed)
    for form in forms:
        for _ in range(each):
            yield _case(form, rng.choice(passwords), rng.choice(secrets), rng)


def _vendors(seed: int, odd: int) -> Iterator[Case]:
    """Return every second vendor's token, in an assignment, an output or a file."""
    rng = random.Random(seed)
    surroundings = (
        "client = Client('{}')",
        "{}\n",
        "found {} there",
        "x: {}",
        '["{}"]',
    )
    for number, fact in enumerate(FACTS):
        if number % 2 != odd or ":" in fact.parts[0]:
            continue
        token = fact.token(rng)
        text = rng.choice(surroundings).format(token)
        yield Case(f"vendor {fact.vendor}", text, (token[-12:],))


def _in_json(cases: Sequence[Case]) -> Iterator[Case]:
    """Return some of the cases as a saved notebook or a repr has them."""
    for number, case in enumerate(cases):
        if number % 5 == 0:
            text = json.dumps({"cells": [{"source": case.text}]}, ensure_ascii=False)
            yield Case(f"in JSON: {case.form}", text, case.secrets)


def _private_keys(seed: int) -> Iterator[Case]:
    rng = random.Random(seed)
    for kind in (
        "PRIVATE" + " KEY",
        "RSA " + "PRIVATE KEY",
        "OPENSSH " + "PRIVATE KEY",
    ):
        body = "\n".join(_random_value(rng, 64) for _ in range(8))
        pem = f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"
        yield Case(kind, f'key = """{pem}"""', (body[:40], body[-40:]))
        encoded = b64encode(pem.encode()).decode()
        text = f"    client-key-data: {encoded}\n"
        yield Case(f"{kind} in base64", text, (encoded[:40], encoded[-40:]))


def _all(cases: Sequence[Case], seed: int, odd: int) -> tuple[Case, ...]:
    return (*cases, *_in_json(cases), *_vendors(seed, odd), *_private_keys(seed))


DEVELOPMENT = _all(
    [
        *_cases(_FIRST_FORMS, _DEVELOPMENT_NAMES, _DEVELOPMENT_SECRETS, 1, 3),
        *_cases(_SECOND_FORMS, _DEVELOPMENT_NAMES, _DEVELOPMENT_SECRETS, 2, 3),
    ],
    1,
    0,
)
HELD_BACK = _all(
    list(_cases(_HELD_BACK_FORMS, _HELD_BACK_NAMES, _HELD_BACK_SECRETS, 3, 6)), 3, 1
)
