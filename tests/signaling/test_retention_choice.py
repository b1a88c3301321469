"""How long an archive is kept is chosen when its consultation opens, among what two people defined."""

from __future__ import annotations

from typing import Any

from core.retention import approve_class, propose_class
from tests.archive.support import create
from tests.signaling.conftest import World
from tests.signaling.test_matrix_rest import form

OPEN = "/api/v1/consultations"


async def define(world: World, name: str, days: int, *, approved: bool = True) -> None:
    org = world.clinic.organisation_id
    made = await propose_class(world.database, org, name, days, False, "u_one")
    if approved:
        await approve_class(world.database, org, made.class_id, "u_other")


async def opened(world: World, **more: Any) -> tuple[int, Any]:
    return await world.post(OPEN, form(world) | more, await world.token("li"))


async def test_the_site_chooses_among_its_classes_the_longest_first(world: World) -> None:
    await define(world, "standard", 365)
    await define(world, "teaching", 3650)
    await define(world, "asked-for", 10, approved=False)
    status, choices = await world.get("/api/v1/retention-choices", await world.token("li"))
    assert (status, choices) == (
        200,
        {
            "usual": "standard",
            "classes": [{"name": "teaching", "days": 3650}, {"name": "standard", "days": 365}],
        },
    )
    _, others = await world.get("/api/v1/retention-choices", await world.token("sun"))
    assert others["classes"] == []


async def test_the_class_is_kept_and_shown_in_details_list_and_archive(world: World) -> None:
    await define(world, "teaching", 3650)
    status, made = await opened(world, retention_class="teaching")
    assert (status, made["retention_class"]) == (201, "teaching")
    wanted = made["consultation_id"]
    li, zhao = await world.token("li"), await world.token("zhao")
    assert (await world.get(f"{OPEN}/{wanted}", li))[1]["retention_class"] == "teaching"
    listed = {one["consultation_id"]: one["retention_class"] for one in (await world.get(OPEN, li))[1]}
    assert listed == {wanted: "teaching", world.consultation.consultation_id: "standard"}
    create(world.settings.archive_dir, wanted).close("consultation_closed")
    _, keeping = await world.get(f"/api/v1/archives/{wanted}/keeping", zhao)
    assert keeping["retention_class"] == "teaching"
    _, archives = await world.get("/api/v1/archives", zhao)
    assert [one["retention_class"] for one in archives] == ["teaching"]


async def test_a_class_that_does_not_count_is_refused_and_nothing_is_opened(world: World) -> None:
    await define(world, "asked-for", 10, approved=False)
    for name, status, code in (
        ("asked-for", 409, "class_not_active"),
        ("Not A Name", 422, "invalid_body"),
    ):
        got, problem = await opened(world, retention_class=name)
        assert (got, problem["code"]) == (status, code)
    assert len((await world.get(OPEN, await world.token("li")))[1]) == 1


async def test_without_a_choice_it_is_the_usual_class(world: World) -> None:
    _, made = await opened(world)
    assert made["retention_class"] == "standard"
