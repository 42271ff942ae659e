"""Writes a tiny GGUF model from which llama.cpp recites given answers word for word; it
never runs one.

How it works: the answers are split into pieces that are all different, and each piece
is one token, so the last token alone determines the next. Every token that can come
next has a random code of +1 and -1. The embedding of a token is the code of its
successor, the output row of a token is its own code, and every other weight is zero, so
the engine can only compute the successor. The chat template ends in a control token
that is followed by the first piece of one answer; its Jinja code selects which.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import prod
from pathlib import Path
from string import ascii_lowercase

from codebuddy_jupyter.settings.files import replacing

# Weight of the output norm: the logit of the right token is SCALE times the width.
SCALE = 8.0
# Logits by which the right token must exceed any other, so that it is certain at every
# temperature in use.
MIN_MARGIN = 48.0
# Weights in a Q8_0 block, after a float16 scale.
BLOCK = 32
# Width of an attention head. It has no effect, so it is the smallest that the engine
# accepts.
HEAD = 8
# How the SPM vocabulary writes a space.
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
    {%- set asked.text = (message.content | lower).split('\n```\n\n')[-1] %}
    {%- set asked.text = asked.text.split('\n- ')[-1] %}
  {%- endif %}{% endfor %}
  {%- set said = asked.text %}
  {%- CHOICE %}
{%- endif %}"""


@dataclass(frozen=True)
class RecitedAnswer:
    """One answer of a recital model.

    Parameters
    ----------
    text
        What is recited: Markdown, emoji, a leading ``<think>`` block, ``<tool_call>``
        blocks.
    when
        A Jinja test for when to recite it, over ``messages``, ``tools`` and ``said``
        (the last user message in lower case, without the part about the notebook). The
        first answer is the default and needs none.
    """

    text: str
    when: str = ""


def mentions(*words: str) -> str:
    """Return the Jinja test for one of these words in the last user message, in any
    case.
    """
    return " or ".join(f"'{word.lower()}' in said" for word in words)


def write_recital(
    path: Path,
    answers: Sequence[RecitedAnswer],
    *,
    n_ctx: int = 8192,
    layers: int = 1,
    name: str = "recital",
    control: Sequence[str] = (),
) -> None:
    """Write a model that recites one of the answers, completely or not at all.

    Parameters
    ----------
    path
        The file to write; an existing one is replaced when the new one is complete.
    answers
        The first is the default; of the others, the first whose test is true is
        recited.
    n_ctx
        The largest context window that the model claims, in tokens.
    layers
        Layers, 1 to 512. They do nothing but take time: 512 give some 300 tokens per
        second on one core.
    name
        The name of the model inside the file.
    control
        Further control tokens, which the answers cannot contain.

    Raises
    ------
    ValueError
        If one answer is part of another, so that their pieces cannot be distinct.
    OSError
        If the file cannot be written.
    """
    vocabulary = _vocabulary(answers, control)
    content = _model(answers, vocabulary, n_ctx, layers, name)
    with replacing(path) as file:
        file.write(content)


def _model(
    answers: Sequence[RecitedAnswer],
    vocabulary: _Vocabulary,
    n_ctx: int,
    layers: int,
    name: str,
) -> bytes:
    weights = _Weights(vocabulary)
    metadata = {
        **_architecture(n_ctx, layers, weights.width, name),
        **_tokenizer(vocabulary, answers),
    }
    return _gguf(metadata, [*weights.active(), *weights.idle(layers)])


def _architecture(n_ctx: int, layers: int, width: int, name: str) -> dict[str, _Value]:
    return {
        # Like llama, except that its layers need no attention, so that idle ones take
        # the same time after a long prompt.
        "general.architecture": "deci",
        "general.name": name,
        "deci.context_length": n_ctx,
        "deci.embedding_length": width,
        "deci.block_count": layers,
        "deci.feed_forward_length": [BLOCK] * layers,
        "deci.attention.head_count": [1] + [0] * (layers - 1),
        "deci.attention.head_count_kv": [1] + [0] * (layers - 1),
        "deci.attention.key_length": HEAD,
        "deci.attention.value_length": HEAD,
        "deci.rope.dimension_count": HEAD,
        "deci.attention.layer_norm_rms_epsilon": 1e-5,
    }


def _tokenizer(
    vocabulary: _Vocabulary, answers: Sequence[RecitedAnswer]
) -> dict[str, _Value]:
    template = TEMPLATE.lstrip().replace("{%- CHOICE %}", _choice(answers))
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": vocabulary.texts,
        "tokenizer.ggml.scores": [0.0] * len(vocabulary.texts),
        "tokenizer.ggml.token_type": vocabulary.kinds,
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.unknown_token_id": UNKNOWN_TOKEN,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": template,
    }


def _choice(answers: Sequence[RecitedAnswer]) -> str:
    """Return the Jinja code that ends the prompt with the control token of one answer."""
    if len(answers) == 1:
        return _cue(0)
    code = ""
    for number, answer in enumerate(answers[1:], 1):
        keyword = "elif" if code else "if"
        code += f"{{%- {keyword} {answer.when} %}}{_cue(number)}"
    return f"{code}{{%- else %}}{_cue(0)}{{%- endif %}}"


def _cue(number: int) -> str:
    """Return the control token of an answer."""
    return f"<|say:{number}|>"


# The vocabulary: the pieces, and the successor of each.


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
        """Return each token's successor; what belongs to no answer is followed by the
        start of the default answer.
        """
        default = self.next[self.texts.index(_cue(0))]
        return [self.next.get(token, default) for token in range(len(self.texts))]


def _vocabulary(
    answers: Sequence[RecitedAnswer], control: Sequence[str]
) -> _Vocabulary:
    vocabulary = _Vocabulary()
    for text in SPECIAL:
        is_unknown = text == SPECIAL[UNKNOWN_TOKEN]
        kind = _Vocabulary.UNKNOWN if is_unknown else _Vocabulary.CONTROL
        vocabulary.add(text, kind)
    for text in dict.fromkeys(control):
        if text not in SPECIAL:
            vocabulary.add(text, _Vocabulary.CONTROL)
    for byte in range(256):
        vocabulary.add(f"<0x{byte:02X}>", _Vocabulary.BYTE)
    taken = set(vocabulary.texts)
    for number, answer in enumerate(answers):
        _add_answer(vocabulary, number, _pieces(answer.text, taken))
    # Pairs of letters halve the number of tokens of a prompt, which would be one for
    # each byte.
    for pair in map("".join, product(ascii_lowercase + " ", repeat=2)):
        if pair not in taken:
            vocabulary.add(pair.replace(" ", SPACE), _Vocabulary.NORMAL)
    return vocabulary


def _add_answer(vocabulary: _Vocabulary, number: int, pieces: list[str]) -> None:
    """Add the tokens of an answer, each the successor of the one before."""
    last = vocabulary.add(_cue(number), _Vocabulary.CONTROL)
    for piece in pieces:
        token = vocabulary.add(piece.replace(" ", SPACE), _Vocabulary.NORMAL)
        vocabulary.next[last] = token
        last = token
    vocabulary.next[last] = END


def _pieces(text: str, taken: set[str]) -> list[str]:
    """Split the text between words into pieces that are not in ``taken``, and add them
    to it.
    """
    pieces: list[str] = []
    rest = ""
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
        rest += word
        if rest not in taken:
            taken.add(rest)
            pieces.append(rest)
            rest = ""
    # If the end repeats an earlier piece, it is joined to the pieces before it until
    # that is new.
    while rest:
        if not pieces:
            raise ValueError(f"this answer is a part of another: {text[:40]!r}")
        taken.discard(pieces[-1])
        rest = pieces.pop() + rest
        if rest not in taken:
            taken.add(rest)
            pieces.append(rest)
            rest = ""
    return pieces


# The weights.


@dataclass(frozen=True)
class _Tensor:
    F32, Q8_0 = 0, 8

    name: str
    # The fastest dimension first.
    shape: tuple[int, ...]
    kind: int
    content: bytes


class _Weights:
    """The tensors that make each token predict its successor."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        self.successors = vocabulary.successors()
        self.width, self.codes = _codes(sorted(set(self.successors)))

    def active(self) -> Iterator[_Tensor]:
        """Yield the embedding and the output, which are all that has an effect."""
        rows = {token: _row(code, self.width) for token, code in self.codes.items()}
        zeros = bytes(len(_row(0, self.width)))
        size = len(self.successors)
        shape = (self.width, size)
        embedding = b"".join(rows[token] for token in self.successors)
        output = b"".join(rows.get(token, zeros) for token in range(size))
        norm = struct.pack("<f", SCALE) * self.width
        yield _Tensor("token_embd.weight", shape, _Tensor.Q8_0, embedding)
        yield _Tensor("output.weight", shape, _Tensor.Q8_0, output)
        yield _Tensor("output_norm.weight", (self.width,), _Tensor.F32, norm)

    def idle(self, layers: int) -> Iterator[_Tensor]:
        """Yield the layers, which are zero and only take time."""
        attention: dict[str, tuple[int, ...]] = {
            "attn_q": (self.width, HEAD),
            "attn_k": (self.width, HEAD),
            "attn_v": (self.width, HEAD),
            "attn_output": (HEAD, self.width),
            "attn_norm": (self.width,),
        }
        forward: dict[str, tuple[int, ...]] = {
            "ffn_gate": (self.width, BLOCK),
            "ffn_up": (self.width, BLOCK),
            "ffn_down": (BLOCK, self.width),
            "ffn_norm": (self.width,),
        }
        # Only the first layer has attention.
        for layer in range(layers):
            tensors = forward if layer else attention | forward
            for part, shape in tensors.items():
                name = f"blk.{layer}.{part}.weight"
                content = bytes(4 * prod(shape))
                yield _Tensor(name, shape, _Tensor.F32, content)


def _codes(tokens: list[int]) -> tuple[int, dict[int, int]]:
    """Return the smallest width at which random codes differ enough, and each token's
    code as bits.
    """
    for width in (32, 64, 128, 256):
        source = random.Random(0)
        codes = {token: source.getrandbits(width) for token in tokens}
        pairs = combinations(codes.values(), 2)
        distances = ((code ^ other).bit_count() for code, other in pairs)
        margin = 2 * min(distances, default=width) * SCALE
        if margin >= MIN_MARGIN:
            break
    return width, codes


def _row(code: int, width: int) -> bytes:
    """Return a row of +1 for each bit of the code that is set and -1 for the others, as
    Q8_0 blocks.
    """
    signs = []
    for bit in range(width):
        is_set = code >> bit & 1
        signs.append(127 if is_set else -127)
    row = b""
    for start in range(0, width, BLOCK):
        block = signs[start : start + BLOCK]
        row += struct.pack("<e32b", 1 / 127, *block)
    return row


# The file format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

_Value = str | int | float | bool | list[str] | list[int] | list[float]

# Bytes; GGUF's default.
ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def _gguf(metadata: dict[str, _Value], tensors: Sequence[_Tensor]) -> bytes:
    head = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        head += _string(key) + _typed(value)
    data = bytearray()
    for tensor in tensors:
        dimensions = len(tensor.shape)
        numbers = (dimensions, *tensor.shape, tensor.kind, len(data))
        layout = struct.pack(f"<I{dimensions}QIQ", *numbers)
        head += _string(tensor.name) + layout
        data += tensor.content + bytes(-len(tensor.content) % ALIGNMENT)
    return bytes(head + bytes(-len(head) % ALIGNMENT) + data)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _typed(value: _Value) -> bytes:
    """Return the number of the value's type, and the value."""
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", U32, value)
        case float():
            return struct.pack("<If", F32, value)
        case str():
            return struct.pack("<I", STRING) + _string(value)
    kinds = {str: STRING, int: I32, float: F32}
    kind = kinds[type(value[0])]
    head = struct.pack("<IIQ", ARRAY, kind, len(value))
    if kind == STRING:
        return head + b"".join(_string(str(text)) for text in value)
    code = "i" if kind == I32 else "f"
    layout = f"<{len(value)}{code}"
    return head + struct.pack(layout, *value)
