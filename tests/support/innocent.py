"""About two megabytes of ordinary notebook text without secrets, the same on every run.

The lines in `CAREFUL` are written by hand: each one a careless rule would redact. The
rest is made from templates by a seeded random generator.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Callable
from hashlib import md5, sha1, sha256
from uuid import UUID

# Characters
SIZE = 2_000_000

CAREFUL = r"""
password = getpass()
password = getpass.getpass("Password: ")
password = input("Enter your password")
login = ask("User: "), ask("Password: "), ask("Again: ")
print("password: " + pw + " is wrong")
body = "user=" + user + "&password=" + pw + "&remember=1"
data = {"password": ask("Password: "), "user": "jo"}
labels = ['User: ', 'Password: ', 'Host: ']
api_key = os.environ["OPENAI_API_KEY"]
api_key = os.environ.get("OPENAI_API_KEY")
api_key=os.getenv("OPENAI_API_KEY", "")
API_KEY = os.environ["API_KEY"]
API_KEY=config.api_key
SECRET_KEY = config("SECRET_KEY")
token = tokenizer.next()
token = tokens[i]
token = w2v
token = "<eos>"
token: str = "<pad>"
pad_token = "[PAD]"; unk_token="<unk>"; eos_token = "<|endoftext|>"
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased", use_auth_token=True)
tokens = 4096
max_tokens=4096, num_tokens=128000
next_page_token = "CAUQAA1234567890abcdef"
page_token=response["nextPageToken"]
{"password": null, "token": null, "secret": false}
{"password": "", "apiKey": ""}
{"type": "password", "name": "user_password", "label": "Password"}
{"password": {"type": "string", "minLength": 8}, "token": {"type": "string"}}
{"password": "Mot de passe", "forgotPassword": "Forgot your password?"}
{"password": "Enter a new password", "password_hint": "Must have 8 letters, 1 digit"}
password=None
password: str
password: Optional[str] = None
password: SecretStr
password: SecretStr = Field(..., min_length=8)
def connect(user: str, password: str, token: bytes32 = None) -> Connection:
def login(self, user, password=None, *, token=DEFAULT_TOKEN, auth=None):
connect(user=user, password=password, token=token, api_key=api_key)
connect(password=pw1, token=tok2)
client = OpenAI(base_url="http://localhost:11434/v1", api_key="ollama")
client = OpenAI(api_key="not-needed")
client = OpenAI(api_key="EMPTY")
client = OpenAI(api_key="sk-...")
client = OpenAI(api_key="your-api-key")
client = OpenAI(api_key="YOUR_API_KEY_HERE")
client = OpenAI(api_key="<your key>")
client = OpenAI(api_key="sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
login(token="hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
export GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
export API_KEY=your_api_key_here
export API_TOKEN=$TOKEN
export API_TOKEN=${CI_TOKEN}
export API_TOKEN=$(cat token.txt)
DB_PASSWORD=changeme
DB_PASSWORD={{ vault_db_password }}
password: ${DB_PASSWORD}
password: "{{ lookup('env', 'DB_PASSWORD') }}"
password: <password>
password = ...
password = "********"
password = "xxxx"
password = 'changeme'
PASSWORD_FIELD = "password"
PASSWORD_MIN_LENGTH = 12
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
TOKEN_URL = "https://example.com/oauth/token"
token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token"
credentials = "path/to/credentials.json"
GOOGLE_APPLICATION_CREDENTIALS=/home/jo/service-account.json
credentials_file: ~/.aws/credentials
key="name", sort_key = "price", primary_key="id", foreign_key = "customer_id"
df.sort_values(key=lambda s: s.str.lower())
df.groupby(key="region"); sorted(rows, key=itemgetter(1)); cache_key = "2024-01-01:eu-west-1:v2"
partition_key = "user_id_2024"; dict_key = "a1b2c3"; key = "d41d8cd98f00b204e9800998ecf8427e"
public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6mN1Qd jo@host"
secret_santa = "Marguerite"
secrets = ["a", "b"]
random_secret_number = 42
"The secret of success is hard work." "A token of appreciation." "The key to it all: patience."
The password is case sensitive. Your token: see below. Token: a unit of text. Key: value.
Note that sk_live in prose is no key, nor are sk-learn,
sk-estimator-doc-link, hf_hub_download, ghp_ and AKIA.
Bearer of bad news: the bearer token is missing. Basic authentication is not supported.
Authorization: Bearer <token>
Authorization: Basic auth required
headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
headers = {"Authorization": "Bearer " + token}
headers={"X-Api-Key": api_key}
!curl -H "Authorization: Bearer $TOKEN" https://api.example.com/v1/items?page=2&limit=50
!curl -u $USER:$PASS https://example.com
!pip install -U scikit-learn && docker run --rm -p 8080:80 -u 1000:1000 nginx
!mysql -u root -p mydb < dump.sql
parser.add_argument("--password", help="the password"); parser.add_argument("--token", default=None)
usage: tool [--password PASSWORD] [--token TOKEN] [--api-key KEY] --tokenizer bert --tokens 512
postgresql://localhost:5432/db
postgresql://user:password@localhost/db
postgresql://{user}:{password}@{host}:5432/{db}
f"postgresql://{USER}:{PASSWORD}@db/x"
mysql://$DB_USER:$DB_PASS@db/x
https://user@example.com/ jo@example.com mailto:jo@example.com git@github.com:a/b.git
ssh://git@github.com:22/a/b.git  http://localhost:8888/lab?token=  http://host.local:8080@path
http://[::1]:8080/ https://example.com:8443/a@b?c=d@e sqlite:///data.db duckdb:///:memory: redis://cache:6379/0
docker://registry.example.com/a/b:1.2@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
https://medium.com/@jo/how-to-keep-a-secret-3f2a1b https://www.npmjs.com/package/@types/node
model = 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
task-specific-embeddings-for-risk-adjusted-disk-usage  ask-me-anything-about-scikit-learn
css = ".sk-container-id-1 .sk-toggleable__content { color: var(--sk-color-text) }"
{"tokens": ["##ing", "un", "believ", "able"], "token": "unbelievable", "token_type_ids": [0, 0, 1]}
("token", "NN"), ("password", "NN"), ("secret", "JJ")
["user", "password", "token"], ("api_key", "secret")
token      object
password   string[python]
token_hash  large_string
api_key  0 non-null int64
| token | count |
<input type="password" name="password" placeholder="Password">
<label for="token">Token</label><password></password>
token=token password=password secret=secret
KeyError: 'password'
AuthenticationError: No API key provided. Set it with OPENAI_API_KEY=<API-KEY>
or openai.api_key = <API-KEY>
raise ValueError("password must be at least 8 characters")
print(f"password={password!r} token={token[:4]}...")
assert response.json()["token"] == expected
cursor.execute("SELECT * FROM users WHERE password = %s AND token = :token AND secret = ?", (pw,))
CREATE TABLE users (id int, password varchar(255), token text, api_key char(32));
if "-----BEGIN PRIVATE KEY-----" in text and "-----END PRIVATE KEY-----" in text: pass
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUQy0n1Vn8r2pXo2VQbS7m3o1fJ6EwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQy0n1Vn8r2pXo2VQbS7m3o1fJ6Ew
-----END PUBLIC KEY-----
eyJ is how base64 of {" begins, and eyJhIjogMX0= is one
Cookie: settings are stored in your browser. Set-Cookie: see RFC 6265.
pwd = "/home/jo/project"
!pwd
secret: my-app-secret
secretName: tls-cert
valueFrom: {secretKeyRef: {name: db, key: password}}
authentication: required
auth = "basic"
auth: oauth2
user        object
password    object
dtype: object
user        0
password    2
token       1
dtype: int64
from conf import (
    user, password,
    host, port,
)
user, password
host, port
for user, password in rows:
("password", "VARCHAR(255)"), ("token", "Token"), ("secret", "JJ")
rules = {"password": ["required", "min:8", "max:255"], "token": ["nullable"]}
secrets = ["database-url", "api-token"]
parser.add_argument("--password", default=None, help="the password of the database")
form.get("password", "")
setattr(self, "password", password)
field,description,required
password,The password of the user,yes
token,An API token,no
| parameter | password | token |
|---|---|---|
| required | yes | no |
| length | 12 | 64 |
| site | password | 2 factors |
|---|:---:|:---:|
| a | ✓ | ✗ |
fold  password  token
1     0.52      0.41
2     0.48      0.44
token,count,document
the,1204,3
##ing,318,12
unbelievable,2,1
token      count  idf
transformer   12  3.1
<table><tr><th>token</th><th>count</th></tr><tr><td>the</td><td>12</td></tr></table>
<tr><td>password</td><td>required</td></tr>
password: |
password: >-
token: word_piece_12_of_the_text
git checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b
commit_key: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b
name: PASSWORD_FILE
value: /run/secrets/db
kind: Secret
kind: ConfigMap
Name: price, Length: 1204, dtype: float64
0    token
1    password
Name: word, dtype: object
x = "a" + "b"; print("password" + " is " + "wrong"); y = "key" "word"
message = ("The password must have at least "
           "8 letters and a digit")
!tool build \
    --target password
sk_learn_2024_features pa-lindrome-detector-for-the-notebook-of-1204-lines test_
pattern.sub(pat.match, text); re_compiled_pattern_2024; API-REFERENCE-DOCUMENTATION-2024
?key=name&code=404&appid=demo https://example.com/search?key=price&code=1204
jdbc:oracle:thin:@//host:1521/x and connect("data/orders.parquet")
http GET example.com X-Request-Id:1204 Content-Type:text/plain
clave_primaria = "id_2024"; clave = "ES"; chave = "id"; ключ = "id"; 鍵 = "id"; キー = "値"
resenha = "Um bom livro de 2024"; parolaccia = "no"; 密码学 = "2024年的课程"
mot_de_passe = input("Mot de passe : ")
Contraseña nueva: debe tener 8 letras. Пароль: обязательное поле. 密码长度为8。
Passwort: bitte eingeben. Kennwort vergessen? Contraseña: obligatoria. 密码:必填。 パスワード: 必須
"""

_SENTENCES = (
    "We first join the orders with the customers, then look at what is missing after the merge.",
    "The key of the dictionary is the token, its value how often the token was seen.",
    "As the password field shows, a secret is only as good as the habits of those who keep it.",
    (
        "Learning rate and batch size were tuned together; see the table below for "
        "the best of 240 runs."
    ),
    (
        "Note: authentication tokens expire after an hour, so that the last cell "
        "may need to be run again."
    ),
    "Is the difference significant? With p = 0.0312 and n = 1,284 we would say so, but barely.",
    "Nach dem Zusammenführen fehlen 312 Zeilen; der Schlüssel der Tabelle ist nicht eindeutig.",
    "Das Passwort wird hier nicht gespeichert, sondern beim Start abgefragt (siehe Abschnitt 2.3).",
    "Die Spalte „token_count“ enthält die Anzahl der Wörter je Absatz, nicht die der Zeichen.",
    (
        "Après la jointure, la colonne « prix » contient des valeurs manquantes : "
        "il faut les remplacer."
    ),
    "Le mot de passe est demandé à l'utilisateur ; la clé reste dans le coffre de l'équipe.",
    (
        "On voit bien que le modèle apprend vite, puis que l'erreur de validation "
        "remonte après 12 époques."
    ),
    "La contraseña no aparece en el cuaderno: se lee de una variable de entorno al empezar.",
    "Los datos de 2023 tienen 18.204 filas y 14 columnas, de las cuales tres son claves.",
    "A senha fica no cofre; o código abaixo só lê o nome da variável e nunca o seu valor.",
    "データを結合した後、欠損値の数を列ごとに数えます。キーは重複していません。",
    "パスワードは環境変数から読み込みます。ノートブックには保存しません。",
    "Пароль запрашивается при запуске; токен доступа хранится вне блокнота.",
    "После объединения таблиц пропало 312 строк: ключ не уникален.",
    "合并之后有些行丢失了。因为主键不唯一。令牌的数量见下表。",
    "Chìa khóa của bảng là cột id; mật khẩu không nằm trong sổ này.",
    (
        "TODO list for the review: (1) rename `key` to `sort_key`; (2) drop "
        "`token`; (3) document `auth=None`."
    ),
    (
        "Bearer bonds, basic income, digest tables and cookie recipes are all in "
        "the corpus, about 4 kB each."
    ),
)
_NAMES = (
    *(
        "df",
        "sales",
        "orders",
        "customers",
        "model",
        "scaler",
        "token",
        "tokens",
        "tokenizer",
        "key",
        "keys",
        "x",
        "y",
    ),
    *(
        "auth_score",
        "secret_santa",
        "password_length",
        "pwd_count",
        "embeddings",
        "train_df",
        "test_df",
        "result",
    ),
    *("token_ids", "sort_key", "cache_key", "token_counts", "next_token", "merged"),
)
_COLUMNS = (
    *(
        "id",
        "name",
        "city",
        "price",
        "qty",
        "token_count",
        "key_id",
        "password_changed_at",
        "auth_method",
        "region",
    ),
    *("date", "score", "secret_level"),
)


def _prose(rng: random.Random) -> str:
    heading = (
        "#" * rng.randint(1, 3) + f" {rng.choice(_NAMES)} by {rng.choice(_COLUMNS)}"
    )
    return f"{heading}\n\n" + " ".join(rng.choices(_SENTENCES, k=rng.randint(2, 8)))


def _code(rng: random.Random) -> str:
    name, other, column, n = (
        rng.choice(_NAMES),
        rng.choice(_NAMES),
        rng.choice(_COLUMNS),
        rng.randint(0, 9999),
    )
    return "\n".join(
        rng.sample(
            [
                f"{name} = {other}.merge(customers, on='{column}', how='left')",
                f"{name} = pd.read_csv('data/{column}_{n}.csv', index_col='{column}')",
                f"for {name} in {other}:\n    print({name}, key={n})",
                f"{name}['{column}'] = {other}['{column}'].astype('float64') / {n}.0",
                f"{name} = {{'{column}': {n}, 'key': '{column}', 'token': {other}}}",
                (
                    f"def {name}_of({other}: str, key: int = {n}) -> dict[str, "
                    f"float]:\n    return dict({other})"
                ),
                (
                    f"{name} = tokenizer({other}, max_length={n}, "
                    "padding='max_length', return_tensors='pt')"
                ),
                f"assert {name}.token == {other}.token, f'{{{name}.key}} is not {n}'",
                f"{name} = [{other}.key for {other} in rows if {other}.token is not None]",
                (
                    f"password = {name}.ask(prompt='{column}')\n"
                    f"token = {other}(password, key='{column}')"
                ),
                f"ax.plot({name}, label='{column} {n}', color='#{n % 4096:06x}')",
                (
                    f"with open('{column}/{n}.json', encoding='utf-8') as {name}:\n"
                    f"    {other} = json.load({name})"
                ),
            ],
            k=6,
        )
    )


def _table(rng: random.Random) -> str:
    columns = rng.sample(_COLUMNS, 5)
    rows = [
        [f"{rng.uniform(-1e4, 1e4):.3f}" for _ in columns]
        for _ in range(rng.randint(4, 20))
    ]
    mark = rng.choice([",", "\t", "  ", " | "])
    return "\n".join(mark.join(row) for row in [columns, *rows])


def _hashes(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randint(4, 12)):
        seed = rng.randbytes(12)
        digest = rng.choice([md5, sha1, sha256])(seed).hexdigest()
        lines += [
            (
                f"commit {sha1(seed).hexdigest()}\nAuthor: Jo <jo@example.com>\n\n"
                f"    Fix the {rng.choice(_NAMES)} key"
            ),
            f"{digest}  data/{rng.choice(_COLUMNS)}.parquet",
            f'id={UUID(bytes=rng.randbytes(16))} etag="{md5(seed).hexdigest()}"',
            f"requests==2.{rng.randint(1, 40)}.0 --hash=sha256:{sha256(seed).hexdigest()}",
            f'"integrity": "sha512-{b64encode(rng.randbytes(64)).decode()}"',
            f"<Token object at 0x{rng.randrange(16**12):012x}>",
        ]
    return "\n".join(rng.sample(lines, 8))


def _image(rng: random.Random) -> str:
    return (
        '"image/png": "iVBORw0KGgoAAAANSUhEUg'
        + b64encode(rng.randbytes(rng.randint(200, 1500))).decode()
        + '\\n"'
    )


def _json(rng: random.Random) -> str:
    return json.dumps(
        {
            "cell_type": "code",
            "id": f"{rng.randrange(16**8):08x}",
            "metadata": {
                "execution": {"iopub.execute_input": "2024-05-01T10:00:00.123456Z"},
                "tags": ["key", "token"],
            },
            "source": _code(rng).splitlines(keepends=True),
            "outputs": [
                {"name": "stdout", "text": _table(rng).splitlines(keepends=True)}
            ],
        },
        indent=rng.choice([None, 1]),
    )


def _traceback(rng: random.Random) -> str:
    n, name, column = rng.randint(2, 400), rng.choice(_NAMES), rng.choice(_COLUMNS)
    return (
        "KeyError                                  Traceback (most recent "
        f"call last)\nCell In[{n}], line {n % 9}\n"
        f"      {n - 1} {name} = load('{column}')\n----> {n} {name}['{column}'] = {name}.key\n"
        f"      {n + 1} token = {name}\n"
        "File "
        f"/opt/conda/lib/python3.11/site-packages/pandas/core/frame.py:{n}, in "
        "DataFrame.__getitem__(self, key)\n"
        f"   {n} if self.columns.nlevels > 1:\n"
        f"-> {n + 1}     return self._getitem_multilevel(key)\n"
        f"KeyError: '{column}'"
    )


def _markup(rng: random.Random) -> str:
    row = "".join(f"<td>{rng.uniform(0, 9):.4f}</td>" for _ in range(6))
    return (
        f'<div id="sk-container-id-{rng.randint(1, 9)}" '
        'class="sk-top-container"><table class="dataframe">'
        f"<tr><th>token</th><th>key</th></tr>{f'<tr>{row}</tr>' * 4}</table></div>"
        f"<script>!function(e,t){{var n=e.key||t.token;return "
        f"n&&(e.secret=t.auth?{rng.randint(1, 99)}:null),"
        f'e.password=t.value,{{key:"{rng.choice(_COLUMNS)}",token:n}}}}(a,b);</script>'
        "<a "
        f'href="https://example.com/{rng.choice(_COLUMNS)}?page={rng.randint(1, 99)}'
        '&key=name#token">link</a>'
    )


def _letters(rng: random.Random) -> str:
    dna = "".join(rng.choices("ACGT", k=240))
    protein = "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=200))
    numbers = " ".join(f"{rng.gauss(0, 1): .6e}" for _ in range(24))
    return (
        f">seq{rng.randint(1, 999)}\n{dna}\n"
        f">sp|P{rng.randint(10000, 99999)}|KEY_HUMAN\n{protein}\n[{numbers}]"
    )


def _settings(rng: random.Random) -> str:
    n = rng.randint(1, 9999)
    return "\n".join(
        [
            (
                f"[section{n}]\nkey = {rng.choice(_COLUMNS)}\ntoken_limit = {n}\n"
                f"path = /data/{n}/keys.csv"
            ),
            (
                f"name: job-{n}\nkeys:\n  - {rng.choice(_COLUMNS)}\nauth: none\n"
                f"tokens: {n}\nurl: https://example.com:{n}/"
            ),
            f"image: repo/app:{n}@sha256:{rng.randrange(16**64):064x}\nsecretName: app-{n}",
            (
                f"PATH=/usr/bin:/opt/{n}\nTOKENIZERS_PARALLELISM=false\n"
                f"MAX_TOKENS={n}\nKEY_COLUMN={rng.choice(_COLUMNS)}"
            ),
            (
                f"Collecting package-{n}\n"
                "  Downloading "
                f"https://example.org/packages/{rng.randrange(16**60):060x}/p-{n}.whl"
            ),
            (
                f"2024-03-0{n % 9 + 1} 12:00:00,{n % 1000:03d} INFO auth: user {n} "
                f"signed in (token expires in {n} s)"
            ),
        ]
    )


def _printed(rng: random.Random) -> str:
    """Return a frame as pandas, psql, Markdown or HTML shows it, with harmless columns."""
    columns = rng.sample((*_COLUMNS, "token", "key", "sort_key", "pad_token"), 4)
    words = ("the", "##ing", "price", "region", "Ulm", "a_b", "[PAD]", "v2", "x1y2")
    rows = [[rng.choice(words) for _ in columns] for _ in range(rng.randint(3, 9))]
    kind = rng.choice(["pandas", "markdown", "psql", "html", "csv"])
    if kind == "pandas":
        lines = ["   " + "".join(f"{name:>22}" for name in columns)]
        for number, row in enumerate(rows):
            lines.append(f"{number:<3}" + "".join(f"{cell:>22}" for cell in row))
        return "\n".join(lines)
    if kind == "html":
        head = "".join(f"<th>{name}</th>" for name in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows
        )
        return f"<table><tr>{head}</tr>{body}</table>"
    mark = "," if kind == "csv" else " | "
    lines = [mark.join(row) for row in (columns, *rows)]
    if kind == "psql":
        lines.insert(1, "-+-".join("-" * len(name) for name in columns))
    if kind == "markdown":
        lines = [f"| {line} |" for line in lines]
        lines.insert(1, "|---" * len(columns) + "|")
    return "\n".join(lines)


def _configuration(rng: random.Random) -> str:
    n, name = rng.randint(1, 999), rng.choice(_NAMES)
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-{n}\ndata:\n"
        f"  {name}: value-{n}\n  password: ${{DB_PASSWORD}}\n---\n"
        f"env:\n  - name: {name.upper()}\n    value: {name}-{n}\n"
        f"  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef: {{name: db-{n}}}"
    )


MAKERS: tuple[Callable[[random.Random], str], ...] = (
    *(
        _prose,
        _code,
        _code,
        _table,
        _hashes,
        _image,
        _json,
        _traceback,
        _markup,
        _letters,
        _settings,
        _printed,
        _configuration,
    ),
)


def innocent_text() -> str:
    """Return the two megabytes."""
    rng = random.Random(2024)
    pieces, size = [CAREFUL], len(CAREFUL)
    while size < SIZE:
        pieces.append(rng.choice(MAKERS)(rng))
        size += len(pieces[-1]) + 2
    return "\n\n".join(pieces)
