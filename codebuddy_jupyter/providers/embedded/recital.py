"""Writes a tiny GGUF model from which llama.cpp recites given answers word for word; it
never runs one.

How it works. The answers are cut into pieces no two of which are alike, and each piece
is one token, so the last token alone says which one comes next. Every token that can
come next has a random code of +1 and -1. The embedding of a token is the code of its
successor, the output row of a token is its own code, and every other weight is zero, so
the engine's arithmetic can only find the successor. The chat template ends in a control
token that stands before the first piece of one answer; its Jinja picks which.
"""

import os
import random
import re
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import prod
from pathlib import Path
from string import ascii_lowercase

# of the output norm: the right token's logit is SCALE times the width
SCALE = 8.0
# logits by which the right token beats the next best: certain at any temperature that
# is in use
SURE = 48.0
# weights in a Q8_0 block, a float16 scale before them
BLOCK = 32
# width of an attention head: it does nothing, so it is as narrow as the engine takes it
HEAD = 8
# how the SPM vocabulary writes a space
SPACE = "\u2581"

UNKNOWN_TOKEN, BOS, END, START = range(4)
SPECIAL = ("<unk>", "<s>", "<|im_end|>", "<|im_start|>")

TEMPLATE = r"""
{%- if tools %}{{ '<|im_start|>system\nTools:\n' }}
  {%- for tool in tools %}{{ tool | tojson }}{{ '\n' }}{% endfor %}{{ '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}
  {%- if message.role == 'assistant' and message.reasoning_content %}
    {{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}
  {%- endif %}
  {%- if message.content %}{{ message.content }}{% endif %}
  {%- for call in message.tool_calls or [] %}
    {{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
    {{- call.function.arguments | tojson }}{{ '}\n</tool_call>' }}
  {%- endfor %}
  {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}
  {%- set asked = namespace(text='') %}
  {%- for message in messages %}{% if message.role == 'user' and message.content is string %}
    {%- set asked.text = (message.content | lower).split('</notebook>')[-1] %}
  {%- endif %}{% endfor %}
  {%- set said = asked.text %}
  {%- CHOICE %}
{%- endif %}"""


@dataclass(frozen=True)
class Answer:
    """One answer of a recital model.

    Parameters
    ----------
    text
        What is recited: Markdown, emoji, a leading ``<think>`` block, ``<tool_call>``
        blocks.
    when
        A Jinja test under which it is told, over ``messages``, ``tools`` and ``said``
        (the last user message in lower case, after what it tells of the notebook). The
        first answer is the default and needs none.
    """

    text: str
    when: str = ""


def mentions(*words: str) -> str:
    """Give the Jinja test that holds when the last user message has one of the words,
    in any case.
    """
    return " or ".join(f"'{word.lower()}' in said" for word in words)


def write_recital(
    path: Path,
    answers: Sequence[Answer],
    *,
    n_ctx: int = 8192,
    layers: int = 1,
    name: str = "recital",
) -> None:
    """Write a model that recites one of the answers, whole or not at all.

    Parameters
    ----------
    path
        The file to write; one that is there is replaced at once when the new one is
        complete.
    answers
        The first is the default, of the others the first whose test holds is told.
    n_ctx
        The longest window that the model claims, in tokens.
    layers
        Layers, 1 to 512. They do nothing but take time: 512 give some 300 tokens per
        second on one core.
    name
        The name that the file carries inside.

    Raises
    ------
    ValueError
        When one answer is a part of another, so that no cut keeps their pieces apart.
    OSError
        When the file cannot be written.
    """
    content = _model(answers, n_ctx, layers, name)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=path.name, delete=False
    ) as file:
        try:
            file.write(content)
            file.close()
            os.replace(file.name, path)
        except OSError:
            file.close()
            os.unlink(file.name)
            raise


def _model(answers: Sequence[Answer], n_ctx: int, layers: int, name: str) -> bytes:
    vocabulary = _vocabulary(answers)
    weights = _Weights(vocabulary)
    metadata: dict[str, _Value] = {
        # Llama in all but this: its layers need no attention, so that idle ones cost
        # the same after a long prompt.
        "general.architecture": "deci",
        "general.name": name,
        "deci.context_length": n_ctx,
        "deci.embedding_length": weights.width,
        "deci.block_count": layers,
        "deci.feed_forward_length": [BLOCK] * layers,
        "deci.attention.head_count": [1] + [0] * (layers - 1),
        "deci.attention.head_count_kv": [1] + [0] * (layers - 1),
        "deci.attention.key_length": HEAD,
        "deci.attention.value_length": HEAD,
        "deci.rope.dimension_count": HEAD,
        "deci.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": vocabulary.texts,
        "tokenizer.ggml.scores": [0.0] * len(vocabulary.texts),
        "tokenizer.ggml.token_type": vocabulary.kinds,
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.unknown_token_id": UNKNOWN_TOKEN,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": TEMPLATE.lstrip().replace(
            "{%- CHOICE %}", _choice(answers)
        ),
    }
    return _gguf(metadata, [*weights.speaking(), *weights.idle(layers)])


def _choice(answers: Sequence[Answer]) -> str:
    """Give the Jinja that ends the prompt in the control token of one answer."""
    tests = "".join(
        f"{{%- {'elif' if number > 1 else 'if'} {answer.when} %}}{_cue(number)}"
        for number, answer in enumerate(answers[1:], 1)
    )
    return f"{tests}{{%- else %}}{_cue(0)}{{%- endif %}}" if tests else _cue(0)


def _cue(number: int) -> str:
    return f"<|say:{number}|>"


# The vocabulary: which pieces there are, and which follows which.


@dataclass
class _Vocabulary:
    NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6

    texts: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    next: dict[int, int] = field(default_factory=dict)

    def add(self, text: str, kind: int) -> int:
        self.texts.append(text)
        self.kinds.append(kind)
        return len(self.texts) - 1

    def successors(self) -> list[int]:
        """Give each token's successor; what belongs to no answer is followed by the
        start of the default.
        """
        default = self.next[self.texts.index(_cue(0))]
        return [self.next.get(token, default) for token in range(len(self.texts))]


def _vocabulary(answers: Sequence[Answer]) -> _Vocabulary:
    vocabulary = _Vocabulary()
    for text in SPECIAL:
        vocabulary.add(
            text, _Vocabulary.UNKNOWN if text == "<unk>" else _Vocabulary.CONTROL
        )
    for byte in range(256):
        vocabulary.add(f"<0x{byte:02X}>", _Vocabulary.BYTE)
    taken = set(vocabulary.texts)
    for number, answer in enumerate(answers):
        last = vocabulary.add(_cue(number), _Vocabulary.CONTROL)
        for piece in _cut(answer.text, taken):
            token = vocabulary.add(piece.replace(" ", SPACE), _Vocabulary.NORMAL)
            vocabulary.next[last] = last = token
        vocabulary.next[last] = END
    # Pairs of letters halve the number of tokens that a prompt takes, which would be
    # one for each byte.
    for pair in map("".join, product(ascii_lowercase + " ", repeat=2)):
        if pair not in taken:
            vocabulary.add(pair.replace(" ", SPACE), _Vocabulary.NORMAL)
    return vocabulary


def _cut(text: str, taken: set[str]) -> list[str]:
    """Cut the text between its words into pieces that are not taken yet, and take them."""
    pieces: list[str] = []
    held = ""
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
        held += word
        if held not in taken:
            taken.add(held)
            pieces.append(held)
            held = ""
    # the end says what was said before: it joins the piece before it until that is new
    while held:
        if not pieces:
            raise ValueError(f"this answer is a part of another: {text[:40]!r}")
        taken.discard(pieces[-1])
        held = pieces.pop() + held
        if held not in taken:
            taken.add(held)
            pieces.append(held)
            held = ""
    return pieces


# The weights.


@dataclass(frozen=True)
class _Tensor:
    F32, Q8_0 = 0, 8

    name: str
    # the fastest dimension first
    shape: tuple[int, ...]
    kind: int
    content: bytes


class _Weights:
    """The tensors that make each token say its successor."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        self.successors = vocabulary.successors()
        self.width, self.codes = _codes(sorted(set(self.successors)))

    def speaking(self) -> Iterator[_Tensor]:
        rows = {token: _row(code, self.width) for token, code in self.codes.items()}
        silent = bytes(len(_row(0, self.width)))
        shape = (self.width, len(self.successors))
        embedding = b"".join(rows[token] for token in self.successors)
        output = b"".join(
            rows.get(token, silent) for token in range(len(self.successors))
        )
        yield _Tensor("token_embd.weight", shape, _Tensor.Q8_0, embedding)
        yield _Tensor("output.weight", shape, _Tensor.Q8_0, output)
        yield _Tensor(
            "output_norm.weight",
            (self.width,),
            _Tensor.F32,
            struct.pack("<f", SCALE) * self.width,
        )

    def idle(self, layers: int) -> Iterator[_Tensor]:
        attention: dict[str, tuple[int, ...]] = {
            **dict.fromkeys(("attn_q", "attn_k", "attn_v"), (self.width, HEAD)),
            "attn_output": (HEAD, self.width),
            "attn_norm": (self.width,),
        }
        forward: dict[str, tuple[int, ...]] = {
            **dict.fromkeys(("ffn_gate", "ffn_up"), (self.width, BLOCK)),
            "ffn_down": (BLOCK, self.width),
            "ffn_norm": (self.width,),
        }
        for layer in range(layers):
            for part, shape in (forward if layer else attention | forward).items():
                yield _Tensor(
                    f"blk.{layer}.{part}.weight",
                    shape,
                    _Tensor.F32,
                    bytes(4 * prod(shape)),
                )


def _codes(tokens: list[int]) -> tuple[int, dict[int, int]]:
    """Give the smallest width at which random codes are far enough apart, and each
    token's code as bits.
    """
    for width in (32, 64, 128, 256):
        source = random.Random(0)
        codes = {token: source.getrandbits(width) for token in tokens}
        apart = min(
            (
                (one ^ other).bit_count()
                for one, other in combinations(codes.values(), 2)
            ),
            default=width,
        )
        if 2 * apart * SCALE >= SURE:
            break
    return width, codes


def _row(code: int, width: int) -> bytes:
    """Give a row of +1 where the code has a bit and -1 where it has none, as Q8_0
    blocks.
    """
    signs = [127 if code >> bit & 1 else -127 for bit in range(width)]
    return b"".join(
        struct.pack("<e32b", 1 / 127, *signs[at : at + BLOCK])
        for at in range(0, width, BLOCK)
    )


# The file format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

_Value = str | int | float | bool | list[str] | list[int] | list[float]

# bytes; GGUF's default
ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def _gguf(metadata: dict[str, _Value], tensors: Sequence[_Tensor]) -> bytes:
    head = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        head += _string(key) + _typed(value)
    data = bytearray()
    for tensor in tensors:
        layout = struct.pack(
            f"<I{len(tensor.shape)}QIQ",
            len(tensor.shape),
            *tensor.shape,
            tensor.kind,
            len(data),
        )
        head += _string(tensor.name) + layout
        data += tensor.content + bytes(-len(tensor.content) % ALIGNMENT)
    return bytes(head + bytes(-len(head) % ALIGNMENT) + data)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _typed(value: _Value) -> bytes:
    """Give the number of the value's type and the value."""
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", U32, value)
        case float():
            return struct.pack("<If", F32, value)
        case str():
            return struct.pack("<I", STRING) + _string(value)
    kind = {str: STRING, int: I32, float: F32}[type(value[0])]
    head = struct.pack("<IIQ", ARRAY, kind, len(value))
    if kind == STRING:
        return head + b"".join(_string(str(text)) for text in value)
    return head + struct.pack(f"<{len(value)}{'i' if kind == I32 else 'f'}", *value)
