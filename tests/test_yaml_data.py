"""The data of secrets of Kubernetes, whatever its names are."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.yaml_data import find_secrets_of_kubernetes

VALUE = "c3dvcmRmaXNo"
DOCUMENTS = {
    "kind first": f"kind: Secret\nmetadata:\n  name: x\ndata:\n  any: {VALUE}\n",
    "kind last": f"data:\n  any: {VALUE}\ntype: Opaque\nkind: Secret",
    "plain": f"kind: Secret\nstringData:\n    any.conf: '{VALUE}'\n",
    "JSON": f'{{"kind": "Secret", "data": {{"any": "{VALUE}"}}}}',
}


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_each_value_is_found(text: str) -> None:
    (span,) = find_secrets_of_kubernetes(text)
    assert text[span.start : span.end] == VALUE


def test_other_documents_stay() -> None:
    other = f"kind: ConfigMap\ndata:\n  any: {VALUE}\n"
    assert list(find_secrets_of_kubernetes(other)) == []
    assert list(find_secrets_of_kubernetes(f"kind: Secret\n---\n{other}")) == []
    template = "kind: Secret\ndata:\n  any: {{ .Values.key }}\n"
    assert list(find_secrets_of_kubernetes(template)) == []
