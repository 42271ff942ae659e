"""Model clouds with OpenAI-compatible APIs.

Each needs a key, and prompts to it leave this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Unicode

from ..messages import Model
from .openai_chat import OpenAIChatProvider

# Tokens. These clouds do not report it in this protocol; hardly any of their models has
# a smaller context window.
WINDOW = 128_000


def _address(url: str) -> Unicode[str, str | bytes]:
    """Return the setting for the base URL of a cloud."""
    return Unicode(url, help="Address of the service, or of a gateway to it.").tag(
        config=True, affects="target"
    )


def _default(model: str) -> Unicode[str, str | bytes]:
    """Return the setting for the model of a cloud."""
    return Unicode(model, help="The model to ask.").tag(config=True, affects="target")


class CloudProvider(OpenAIChatProvider):
    """A model cloud with an OpenAI-compatible API."""

    async def window(self, model: str) -> int | None:
        """Return a context window in tokens that fits the models of all these clouds."""
        return WINDOW


class OpenAIProvider(CloudProvider):
    """OpenAI: https://platform.openai.com/docs/api-reference/chat."""

    label = "OpenAI"
    key_variable = "OPENAI_API_KEY"
    # Its newer models refuse max_tokens.
    max_tokens_field = "max_completion_tokens"
    base_url = _address("https://api.openai.com/v1")
    model = _default("gpt-5.4-mini")


class AnthropicProvider(CloudProvider):
    """Anthropic:
    https://platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk.
    """

    label = "Anthropic"
    key_variable = "ANTHROPIC_API_KEY"
    base_url = _address("https://api.anthropic.com/v1")
    model = _default("claude-sonnet-5-5")


class GeminiProvider(CloudProvider):
    """Google Gemini: https://ai.google.dev/gemini-api/docs/openai."""

    label = "Google Gemini"
    key_variable = "GEMINI_API_KEY"
    base_url = _address("https://generativelanguage.googleapis.com/v1beta/openai")
    model = _default("gemini-3.7-flash")

    def read_model(self, entry: Mapping[str, Any]) -> Model:
        """Return a model from the list, in which alone names begin with ``models/``."""
        name = super().read_model(entry).name
        return Model(name.removeprefix("models/"))


class GroqProvider(CloudProvider):
    """Groq: https://console.groq.com/docs/openai."""

    label = "Groq"
    key_variable = "GROQ_API_KEY"
    max_tokens_field = "max_completion_tokens"
    base_url = _address("https://api.groq.com/openai/v1")
    model = _default("openai/gpt-oss-120b")


class DeepSeekProvider(CloudProvider):
    """DeepSeek: https://api-docs.deepseek.com."""

    label = "DeepSeek"
    key_variable = "DEEPSEEK_API_KEY"
    # It refuses them: https://api-docs.deepseek.com/guides/json_mode.
    takes_schemas = False
    base_url = _address("https://api.deepseek.com/v1")
    model = _default("deepseek-v4-flash")


class QwenProvider(CloudProvider):
    """Qwen by Alibaba Cloud: https://help.aliyun.com/en/model-studio/base-url (keys
    belong to one region each).
    """

    label = "Qwen"
    key_variable = "DASHSCOPE_API_KEY"
    base_url = _address("https://dashscope-intl.aliyuncs.com/compatible-mode/v1")
    model = _default("qwen-plus")


class GLMProvider(CloudProvider):
    """GLM by Z.ai: https://docs.z.ai/guides/overview/quick-start."""

    label = "GLM"
    key_variable = "ZAI_API_KEY"
    # It knows none: https://docs.z.ai/guides/capabilities/struct-output.
    takes_schemas = False
    base_url = _address("https://api.z.ai/api/paas/v4")
    model = _default("glm-5.2")


class GrokProvider(CloudProvider):
    """Grok by xAI: https://docs.x.ai/docs/introduction."""

    label = "Grok"
    key_variable = "XAI_API_KEY"
    base_url = _address("https://api.x.ai/v1")
    model = _default("grok-4.3")
