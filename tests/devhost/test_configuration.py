"""Settings and host.json are read as Core Tools reads them, and faults are one sentence."""

import json

import pytest

from devhost.configuration import connection_string, fill_settings, read_host_json, resolve, seconds
from devhost.functions import StartError


def test_environment_variables_override_local_settings_and_the_sample(tmp_path):
    local = {"Values": {"A": "local", "B": "local"}}
    sample = {"Values": {"A": "sample", "B": "sample", "C": "sample", "N": 7}}
    (tmp_path / "local.settings.json").write_text(json.dumps(local))
    (tmp_path / "local.settings.sample.json").write_text(json.dumps(sample))
    environment = {"A": "environment"}
    fill_settings(environment, tmp_path, "sample")
    assert environment == {"A": "environment", "B": "local", "C": "sample", "N": "7"}


def test_the_sample_settings_are_unchanged_unless_requested(tmp_path):
    (tmp_path / "local.settings.sample.json").write_text('{"Values": {"A": "sample"}}')
    environment: dict[str, str] = {}
    fill_settings(environment, tmp_path, "local")
    assert environment == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"IsEncrypted": true, "Values": {}}'])
def test_an_unusable_settings_file_is_named(tmp_path, content):
    (tmp_path / "local.settings.json").write_text(content)
    with pytest.raises(StartError, match=r"local\.settings\.json"):
        fill_settings({}, tmp_path, "local")


def test_host_json_gets_the_defaults_of_the_host(tmp_path):
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    options = read_host_json(tmp_path)
    assert options.route_prefix == "api"
    assert (options.queues.batch_size, options.queues.new_batch_threshold) == (16, 8)
    assert options.queues.base64


def test_the_projects_host_json_is_valid(project):
    options = read_host_json(project)
    assert options.route_prefix == ""
    assert options.queues.max_dequeue_count > 1


@pytest.mark.parametrize(
    ("span", "expected"),
    [("00:02:30", 150), ("1.00:00:01", 86401), ("00:00:00.5", 0.5), (250, 0.25)],
)
def test_a_time_span_is_parsed_into_seconds(span, expected):
    assert seconds(span) == expected


def test_a_missing_setting_is_named():
    with pytest.raises(StartError, match=r"The setting QUEUE is missing; the trigger of work"):
        resolve("%QUEUE%", {}, "the trigger of work")
    assert resolve("a-%Q%-%R%", {"Q": "1", "R": "2"}, "") == "a-1-2"


def test_an_invalid_identity_based_connection_is_refused_with_the_reason():
    with pytest.raises(StartError, match="identity form"):
        connection_string("Store", {"Store__queueServiceUri": "https://x"}, "it")
    assert connection_string("Store", {"AzureWebJobsStore": "x"}, "it") == "x"
