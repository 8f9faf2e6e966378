"""The examples in deploy/ parse, and say what askai and docs/scale.md expect; they are not run."""

import re
from pathlib import Path

import pytest
import yaml

from askai.settings import load_settings

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
KUBERNETES = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text("utf-8")))


def of_kind(kind):
    (found,) = (item for item in KUBERNETES if item["kind"] == kind)
    return found


def settings(environment):
    ours = {name: value for name, value in environment.items() if name.startswith("ASKAI_")}
    return load_settings(folder=ROOT / "deploy", environment=ours, options={})


def test_compose_publishes_to_the_servers_that_it_starts():
    services = COMPOSE["services"]
    shards = [name for name in services if name.startswith("shard-")]
    for name in ("publish", "ask"):
        found = settings(services[name]["environment"])
        assert [re.search("@([^/]*)/", url)[1] for url in found.servers] == shards
        assert set(services[name]["depends_on"]) == set(shards)
    assert settings(services["ask"]["environment"]).store_partial
    for name in shards:
        assert "max_prepared_transactions=10" in services[name]["command"]
    used = {v.split(":")[0] for s in services.values() for v in s["volumes"]} - {"../corpus"}
    assert used == set(COMPOSE["volumes"])
    assert {name for s in services.values() for name in s["secrets"]} == set(COMPOSE["secrets"])


def test_kubernetes_publishes_to_as_many_shards_as_it_has():
    shards = of_kind("StatefulSet")["spec"]
    pod = of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (askai,) = pod["containers"]
    found = settings({item["name"]: item.get("value", "") for item in askai["env"]})
    service = of_kind("Service")["metadata"]["name"]
    assert shards["serviceName"] == service
    hosts = [f"askai-shard-{n}.{service}" for n in range(shards["replicas"])]
    assert [re.search("@([^/]*)/", url)[1] for url in found.servers] == hosts
    (postgres,) = shards["template"]["spec"]["containers"]
    assert "max_prepared_transactions=10" in postgres["args"]
    for spec, container in ((shards["template"]["spec"], postgres), (pod, askai)):
        there = {volume["name"] for volume in spec["volumes"]}
        there |= {claim["metadata"]["name"] for claim in shards["volumeClaimTemplates"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= there


@pytest.mark.parametrize(
    "script",
    [COMPOSE["configs"]["roles"]["content"], of_kind("ConfigMap")["data"]["roles.sh"]],
    ids=["compose", "kubernetes"],
)
def test_the_roles_are_those_of_the_documentation(script):
    (setup,) = re.findall(
        r"```sql\n(.*?)```", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.DOTALL
    )
    statements = re.findall(r"^(?:CREATE|GRANT|ALTER) .*;$", script, re.MULTILINE)
    assert len(statements) == 3
    for statement in statements:
        assert statement.replace(":'word'", "'choose-one'") in setup
