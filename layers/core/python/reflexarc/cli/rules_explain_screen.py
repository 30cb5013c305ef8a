"""What `reflexarc rules explain` shows: the item, what becomes of it, and who had a say in that."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from reflexarc.cli.rules_preview_screen import action_of
from reflexarc.engines.ottl.plain_values import any_value
from reflexarc.telemetry.condition_tree import Part, shown
from reflexarc.telemetry.explain import Asked, Explanation, Guarding, Step
from reflexarc.telemetry.short_text import in_short
from reflexarc.telemetry.single_items import SingleItem

_NOUNS = {"traces": "span", "metrics": "metric", "logs": "log record"}
_FATES = {
    "kept": "[bold green]KEPT[/]",
    "guarded": "[bold green]KEPT[/]",
    "dropped": "[bold red]DROPPED[/]",
    "sampled": "[bold yellow]GONE BY SAMPLING[/]",
    "aggregated": "[bold cyan]MERGED[/]",
}
_VERDICTS = {
    "true": "[green]true [/]", "false": "[red]false[/]", "error": "[magenta]error[/]",
    "not asked": "[dim]  -  [/]",
}  # fmt: skip
_STATES = {
    "held": "[bold]holds[/]", "did not hold": "[dim]does not hold[/]",
    "not asked": "[dim]not asked: it was decided before[/]", "expired": "[yellow]expired[/]",
}  # fmt: skip
_PARTS = {"datapoint": "points", "spanevent": "events"}
# Of more rules than so many, those that did not hold are only counted.
FEW = 20


def explained(item: SingleItem, found: Explanation, *, everything: bool) -> Group:
    """Return the whole screen."""
    return Group(
        *_item(item),
        "",
        _decision(found),
        "",
        _guards(found.guards),
        "",
        _rules(found.steps, item, everything=everything or len(found.steps) <= FEW),
    )


def facts(item: SingleItem, found: Explanation) -> dict[str, object]:
    """Return the same for machines."""
    return {
        "item": {"signal": item.signal, "where": item.where, "number": item.number}
        | _ids(item)
        | {"text": in_short(item.signal, item.message)},
        "decision": {
            "fate": found.decision.fate,
            "by": found.decision.by,
            "note": found.decision.note,
        },
        "guards": [
            {"who": guard.who, "holds": guard.holds, "conditions": _conditions(guard.conditions)}
            for guard in found.guards
        ],
        "rules": [
            {
                "rule": step.rule.name,
                "action": step.rule.action,
                "priority": step.rule.priority,
                "shadow": step.rule.shadow,
                "state": step.state,
                "conditions": _conditions(step.conditions),
            }
            for step in found.steps
        ],
    }


def _conditions(asked: Sequence[Asked]) -> list[dict[str, object]]:
    return [
        {"context": each.context, "held": each.held, "of": each.of, "tree": _part(each.tree)}
        for each in asked
    ]


def _part(part: Part) -> dict[str, object]:
    made: dict[str, object] = {"text": part.text, "verdict": part.verdict}
    if part.read:
        made["read"] = dict(part.read)
    if part.error:
        made["error"] = part.error
    if part.parts:
        made[part.kind] = [_part(each) for each in part.parts]
    return made


def _ids(item: SingleItem) -> dict[str, object]:
    names = ("trace_id", "span_id") if item.signal != "metrics" else ()
    ids: dict[str, object] = {name: getattr(item.message, name).hex() for name in names}
    return {name: value for name, value in ids.items() if value}


def _item(item: SingleItem) -> Iterator[RenderableType]:
    """Yield what the item is, and of which resource."""
    noun = _NOUNS[item.signal]
    yield Text.assemble((noun, "bold"), " ", in_short(item.signal, item.message))
    ids = " ".join(f"{name} {value}" for name, value in _ids(item).items())
    owner = [
        f"{each.key}={shown(any_value(each.value))}" for each in item.resource.resource.attributes
    ]
    for line in (ids, f"of {' '.join(owner)}" if owner else "", f"in {item.where}"):
        if line:
            yield Text(line, style="dim")


def _decision(found: Explanation) -> str:
    decision = found.decision
    by = f" by [bold]{escape(decision.by)}[/]" if decision.by else ""
    if decision.fate == "guarded":
        by = f": [bold]{escape(decision.by)}[/] reads it"
    note = f" ({escape(decision.note)})" if decision.note else ""
    return f"{_FATES[decision.fate]}{by}{note}"


def _guards(guards: Sequence[Guarding]) -> Tree:
    holding = [guard for guard in guards if guard.holds]
    said = "guards hold" if holding else "no guard holds"
    tree = Tree(f"[bold]{said}[/]: what nobody may take away", guide_style="dim")
    for guard in guards:
        verdict = _VERDICTS["true" if guard.holds else "false"]
        node = tree.add(f"{verdict} {escape(guard.who)}")
        for each in guard.conditions if guard.holds else ():
            _grow(node, each.tree)
    return tree


def _rules(steps: Sequence[Step], item: SingleItem, *, everything: bool) -> Tree:
    noun = _NOUNS[item.signal]
    tree = Tree(
        f"[bold]rules[/] with conditions on a {noun}, in the order in which they are asked",
        guide_style="dim",
    )
    if not steps:
        tree.add("[dim]there is none[/]")
    left_out = 0
    for step in steps:
        telling = step.state in {"held", "expired"} or _failed(step)
        if not everything and not telling:
            left_out += 1
            continue
        _add_step(tree, step)
    if left_out:
        tree.add(f"[dim]{left_out:,} that do not hold or were not asked: --all shows them[/]")
    return tree


def _failed(step: Step) -> bool:
    return any(each.tree.verdict == "error" for each in step.conditions)


def conditions_of_rule(step: Step) -> Tree:
    """Return what one rule says to an item."""
    tree = Tree("", guide_style="dim", hide_root=True)
    _add_step(tree, step)
    return tree


def _add_step(tree: Tree, step: Step) -> None:
    rule = step.rule
    about = [action_of(rule), f"priority {rule.priority}"]
    if rule.shadow:
        about.append("in shadow: it only counts")
    state = f"expired on {rule.expires}" if step.state == "expired" else _STATES[step.state]
    node = tree.add(f"[bold]{escape(rule.name)}[/] ({', '.join(about)}): {state}")
    for each in step.conditions:
        node_of_condition = _grow(node, each.tree)
        if each.context in _PARTS:
            many = f"of {each.held} of its {each.of} {_PARTS[each.context]}"
            node_of_condition.add(f"[dim]true {many}[/]")


def _grow(node: Tree, part: Part) -> Tree:
    """Add a condition to a tree, its parts below it."""
    read = ", ".join(f"{path} is {value}" for path, value in (part.read or {}).items())
    more = f"  [magenta]{escape(part.error)}[/]" if part.error else ""
    more += f"  [cyan]{escape(read)}[/]" if read and part.verdict != "not asked" else ""
    # Of a joined condition the parts say it all.
    text = f"[dim]{part.kind}[/]" if part.kind in {"and", "or"} else escape(part.text)
    child = node.add(f"{_VERDICTS[part.verdict]} {text}{more}")
    for each in part.parts:
        _grow(child, each)
    return child
