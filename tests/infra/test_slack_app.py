"""The sample manifest makes an app that can do what reflexarc does, and no more."""

import re

import yaml

from infra.paths import ROOT

MANIFEST = ROOT / "samples" / "config" / "slack-app-manifest.yaml"
GUIDE = ROOT / "docs" / "guides" / "slack.md"
# https://docs.slack.dev/reference/app-manifest
SECTIONS = {"display_information", "features", "oauth_config", "settings"}


def test_the_manifest_asks_for_what_the_guide_explains() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    explained = set(re.findall(r"`([a-z.]+:[a-z]+)`", GUIDE.read_text()))

    assert set(manifest) == SECTIONS
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == explained
    assert explained == {
        "chat:write",
        "channels:history",
        "groups:history",
        "metadata.message:read",
    }


def test_clicks_come_by_https_and_not_by_a_socket_that_nobody_holds() -> None:
    settings = yaml.safe_load(MANIFEST.read_text())["settings"]

    assert settings["interactivity"]["is_enabled"] is True
    # The form of a function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
    assert re.fullmatch(
        r"https://[\w-]+\.lambda-url\.[a-z0-9-]+\.on\.aws/",
        settings["interactivity"]["request_url"],
    )
    assert settings["socket_mode_enabled"] is False


def test_slacks_limits_on_the_names_are_kept() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())

    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
    assert len(manifest["features"]["bot_user"]["display_name"]) <= 80
