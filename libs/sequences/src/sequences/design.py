"""The form of a sequence design: who calls whom in one flow, in which order, and what else may happen."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SequenceId = Annotated[str, StringConstraints(pattern=r"^SEQ-[A-Z]+-\d{3}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9 ]*$", max_length=60)]
PathId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=60)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
RuleId = Annotated[str, StringConstraints(pattern=r"^(AC|BR)-[A-Z]+-\d{3}$")]


class Form(BaseModel):
    """A key that is not known here is a mistake, not an extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TriggerKind(StrEnum):
    USER_ACTION = "user_action"
    SYSTEM_EVENT = "system_event"
    SCHEDULED = "scheduled"


class Trigger(Form):
    type: TriggerKind
    description: Prose


class ParticipantKind(StrEnum):
    ACTOR = "actor"
    SERVICE = "service"
    AGGREGATE = "aggregate"
    EXTERNAL = "external"


class Participant(Form):
    name: Name
    type: ParticipantKind


class Mode(StrEnum):
    SYNCHRONOUS = "synchronous"
    """Whoever waits for the sequence's answer waits for this, too."""
    ASYNCHRONOUS = "asynchronous"


class Arrow(Form):
    """One participant has another do something; `data` goes there, `returns` comes back."""

    actor: Name
    action: Name
    target: Name
    data: tuple[str, ...] = ()
    event: str | None = None
    returns: str | None = None


class Step(Arrow):
    step: Annotated[int, Field(ge=1)]
    mode: Mode = Mode.SYNCHRONOUS
    transaction: str | None = None
    """Steps of one transaction stand or fall together, and come in their order, also where nobody waits for them."""
    is_answer: bool = False
    """The end of the first call, not a call of its own."""
    is_optional: bool = False
    """Only where there is cause for it."""
    loop: str | None = None
    """What this and its neighbours with the same word are repeated for."""
    is_cacheable: bool = False
    """Its answer may be kept and given again for a while: nothing changes because of it."""


class Outcome(Form):
    success: Prose
    state_changes: tuple[Prose, ...]


class Path(Form):
    """What happens instead: the steps up to `step`, which does not end as planned, and then these."""

    id: PathId
    condition: Prose
    step: Annotated[int, Field(ge=1)]
    handling: Prose
    code: str | None = None
    """What the caller is refused with; nobody is, where there is none."""
    error: str | None = None
    """How the step itself ends: `code`, where nothing else is said."""
    step_succeeds: bool = False
    """Not the step fails, but what its caller makes of its answer."""
    step_is_absent: bool = False
    """It does not come to this step: what is before it refuses."""
    then: tuple[Arrow, ...] = ()
    goes_on: bool = False
    """The sequence goes on to its end."""
    without: tuple[int, ...] = ()
    """Steps that it then goes on without."""

    @property
    def step_ends_with(self) -> str | None:
        return None if self.step_succeeds else self.error or self.code


class Deviation(Form):
    """Where this differs from what was asked for, and which decision says why."""

    how: Prose
    adr: Annotated[int, Field(ge=1)]


class Security(Form):
    who: Prose
    """Who may begin it."""
    checked: Annotated[tuple[Prose, ...], Field(min_length=1)]
    never_logged: tuple[Prose, ...] = ()
    """What stands in no log, span, event or error."""


class Concurrency(Form):
    what: Prose
    """What happens at the same time."""
    joined: Prose
    """Where that comes together again, or what decides between them."""
    branches: tuple[tuple[int, ...], ...] = ()
    """The steps of each, where they are steps of this sequence."""


class Sequence(Form):
    model_config = ConfigDict(populate_by_name=True)

    id: SequenceId
    name: Prose
    description: Prose
    trigger: Trigger
    participants: tuple[Participant, ...]
    steps: tuple[Step, ...]
    outcome: Outcome
    exceptions: tuple[Path, ...] = ()
    related_acs: tuple[RuleId, ...] = Field(default=(), alias="relatedACs")
    related_brs: tuple[RuleId, ...] = Field(default=(), alias="relatedBRs")
    deviation: tuple[Deviation, ...] = ()
    security: Security | None = None
    concurrency: tuple[Concurrency, ...] = ()
    notes: tuple[Prose, ...] = ()

    @property
    def domain(self) -> str:
        return self.id.split("-")[1].lower()

    def path(self, path_id: str) -> Path | None:
        return next((path for path in self.exceptions if path.id == path_id), None)
