"""Descriptions of models and figures."""

from __future__ import annotations

from typing import Any

import matplotlib.figure
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from codebuddy_jupyter.context.describe import Describers
from tests.support.torch_stand_in import torch_with


def figure() -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(6.4, 4.8), dpi=100)
    axes = figure.add_subplot()
    axes.plot([1, 2])
    axes.bar([1, 2], [3, 4])
    axes.set_title("Sales")
    return figure


def fitted() -> LogisticRegression:
    return LogisticRegression(C=0.5).fit(
        np.array([[0.0, 1], [1, 0], [2, 1], [3, 0]]), [0, 1, 0, 1]
    )


SCHEMAS: dict[str, tuple[Any, str]] = {
    "a figure": (
        figure,
        "matplotlib.figure.Figure 640x480, 1 axes\n  matplotlib.axes.Axes: 2 Rectangle, 1 Line2D",
    ),
    "a pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "sklearn.pipeline.Pipeline (an estimator), not fitted\n"
        "  step standardscaler: sklearn.preprocessing.StandardScaler\n"
        "  step logisticregression: sklearn.linear_model.LogisticRegression",
    ),
}


@pytest.mark.parametrize(("make", "text"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_has_parts_and_names(make: Any, text: str) -> None:
    assert Describers().schema(make()) == text


def test_the_values_of_a_figure_are_its_labels() -> None:
    line = "matplotlib.axes.Axes: 2 Rectangle, 1 Line2D title='Sales'"
    assert Describers().values(figure()).splitlines()[-1].strip() == line


def test_an_estimator_has_fitted_attributes_and_with_values_its_parameters() -> None:
    schema, values = Describers().schema(fitted()), Describers().values(fitted())
    assert schema.startswith(
        "sklearn.linear_model.LogisticRegression (an estimator), fitted\n  "
    )
    assert "  n_features_in_ 2\n" in schema
    assert "  coef_ ndarray 1x2 float64\n" in schema
    assert "0.5" not in schema
    assert "C=0.5" in values


def test_a_network_of_the_users_has_layers_and_a_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = torch_with(monkeypatch)

    class Net(torch.Module):  # type: ignore[misc, name-defined]
        pass

    layer, net = torch.Module(), Net()
    layer.__dict__.update(
        _modules={}, _parameters={"weight": torch.Tensor(), "bias": None}
    )
    net.__dict__.update(_modules={"first": layer}, _parameters={})
    text = Describers().schema(net)
    assert text.endswith(
        "Net (a torch.nn.Module), 6 parameters\n  first torch.nn.Module"
    )
