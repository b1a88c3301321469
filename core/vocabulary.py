"""Words that several families of messages share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Role = Literal["specialist", "site", "device", "recorder", "auditor", "admin"]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]
