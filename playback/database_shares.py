"""How much of a plan is played from each of several databases."""

from collections import Counter
from typing import Any

from playback.plan import Plan


def database_shares(plan: Plan) -> list[dict[str, Any]]:
    """Return "database", "steps", "seconds" and "share" of all that is played, of each database.

    They are in the order of the plan, also those that nothing is played from. "database" is None
    of what is in none of them: a seed that is played itself. The list is empty if the plan is of
    one database.
    """
    roots = plan.roots
    if not roots.several:
        return []
    n_steps: Counter[str] = Counter()
    n_samples: Counter[str] = Counter()
    for step in plan.steps:
        name, _ = roots.split(step.source)
        n_steps[name] += 1
        n_samples[name] += step.n_samples
    played = n_samples.total()
    return [
        {
            "database": name or None,
            "steps": n_steps[name],
            "seconds": round(n_samples[name] / plan.sample_rate, 6),
            "share": round(n_samples[name] / played, 6),
        }
        for name in (*roots.folders, *([""] if "" in n_steps else []))
    ]
