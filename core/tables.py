"""The durable tables. Migrations in `core/migrations` build exactly these; a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Constraint names are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class OrganisationRow(Base):
    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_us: Mapped[int] = mapped_column(BigInteger)


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    display_name: Mapped[str] = mapped_column(String(200))
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_us: Mapped[int] = mapped_column(BigInteger)
    totp_secret: Mapped[str | None] = mapped_column(String(64), default=None)
    """Base32 (RFC 6238); None: no second factor."""
    totp_last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The newest time step whose code was used: a code counts once."""
    guest_of: Mapped[str | None] = mapped_column(
        ForeignKey("consultations.id", name="fk_users_guest_of"), default=None
    )
    """A guest's only consultation. Guests have no password and their tokens name no organisation."""
    guest_organisation: Mapped[str] = mapped_column(String(200), default="")
    """What a guest's invitation says about where they are from."""


class ConsultationRow(Base):
    """`organisation_id` invites. `header` is the masked identity, never a full name."""

    __tablename__ = "consultations"
    __table_args__ = (
        Index(
            "uq_consultations_open_room",
            "room",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    room: Mapped[str] = mapped_column(String(64))
    header: Mapped[str] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(8))
    record: Mapped[bool] = mapped_column(Boolean)
    opened_us: Mapped[int] = mapped_column(BigInteger)
    closed_us: Mapped[int | None] = mapped_column(BigInteger)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    opened_by: Mapped[str] = mapped_column(String(64), default="")
    """Id of the person who opened it."""
    specialty: Mapped[str] = mapped_column(String(100), default="")
    question: Mapped[str] = mapped_column(Text, default="")
    consent_consult: Mapped[bool] = mapped_column(Boolean, default=True)
    consent_record: Mapped[bool] = mapped_column(Boolean, default=True)
    consent_withdrawn_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """When the consent to record was withdrawn; recording does not begin again after it."""
    record_reason: Mapped[str] = mapped_column(String(500), default="")
    """Why it is not recorded."""
    paused: Mapped[bool] = mapped_column(Boolean, default=False)
    """Privacy pause; survives a restart, so that a picture does not come back by accident."""
    retention_class: Mapped[str] = mapped_column(String(40), default="")
    """How long its archive is kept; empty: as long as the configured class says."""
    shredded_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """When the key of its archive was destroyed everywhere."""
    decisions_logged: Mapped[int] = mapped_column(Integer, default=0)
    """How many of its archive's decisions the service's log has seen."""


class InvitedOrganisationRow(Base):
    """Organisations whose people may enter a consultation of another one."""

    __tablename__ = "invited_organisations"

    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)


class RemovedPersonRow(Base):
    """Somebody with an account whom a host sent out, and has not let in again."""

    __tablename__ = "removed_people"

    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(100), primary_key=True)
    removed_us: Mapped[int] = mapped_column(BigInteger)


class DeviceRow(Base):
    """A capture box. `feeds`: JSON list of the feed names it may publish."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(200))
    feeds: Mapped[str] = mapped_column(Text)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_us: Mapped[int] = mapped_column(BigInteger)
    public_key: Mapped[str | None] = mapped_column(String(64), default=None)
    """base64url of the Ed25519 key the box made for itself."""
    enrolled_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    revoked_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """When its key was declared void: it opens nothing; a new enrolment begins anew."""


class EnrolmentRow(Base):
    """A one-time code for a box. Only its hash is kept. `used_key`: the public key that it registered."""

    __tablename__ = "enrolments"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), index=True)
    created_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
    used_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    used_key: Mapped[str | None] = mapped_column(String(64), default=None)


class AttachedDeviceRow(Base):
    """Devices whose site attached them to a consultation: only these may publish there."""

    __tablename__ = "attached_devices"

    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)


class InvitationRow(Base):
    """A link for one guest. Only the token's hash is kept; it is exchanged once."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    organisation: Mapped[str] = mapped_column(String(200), default="")
    lobby: Mapped[bool] = mapped_column(Boolean, default=True)
    created_by: Mapped[str] = mapped_column(String(64))
    created_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
    used_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    revoked_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    admitted_us: Mapped[int | None] = mapped_column(BigInteger, default=None)
    guest_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", name="fk_invitations_guest_id"), default=None
    )
    client_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    """Of the secret by which whoever used it may ask again for a moment; None: nobody may."""


class ChatRow(Base):
    """A chat message, kept until a while after the consultation. `entry`: `ChatEntry` as JSON."""

    __tablename__ = "chat"
    __table_args__ = (Index("uq_chat_ref", "consultation_id", "person", "ref", unique=True),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"))
    person: Mapped[str] = mapped_column(String(100))
    ref: Mapped[str] = mapped_column(String(64))
    entry: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class DrawingsRow(Base):
    """What was done on a feed of an open consultation: operations, or (`first_seq` 0) all up to a number.

    `content`: a `KeptOperation` as JSON on each line, or a `KeptDocument`.
    """

    __tablename__ = "drawings"

    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), primary_key=True)
    feed: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[str] = mapped_column(Text)


class OpinionRow(Base):
    """A specialist's written opinion, kept with the consultation. `opinion`: `Opinion` as JSON."""

    __tablename__ = "opinions"
    __table_args__ = (Index("uq_opinions_ref", "consultation_id", "person", "ref", unique=True),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"))
    person: Mapped[str] = mapped_column(String(100))
    ref: Mapped[str] = mapped_column(String(64))
    opinion: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class FileRow(Base):
    """A file sent in the chat; its bytes are in `files_dir/<consultation>/<id>`. `info`: its `FileInfo`."""

    __tablename__ = "files"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), index=True)
    person: Mapped[str] = mapped_column(String(100))
    info: Mapped[str] = mapped_column(Text)
    created_us: Mapped[int] = mapped_column(BigInteger)


class StillRow(Base):
    """A frozen frame; its bytes are a file of the same id. `info`: its `Still`. `ended_us`: let go then."""

    __tablename__ = "stills"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), index=True)
    info: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)
    ended_us: Mapped[int | None] = mapped_column(BigInteger)


class RefreshTokenRow(Base):
    """Only the hash of a token is kept. All tokens that came from one login share its `session_id`."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(64), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    issued_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
    used_us: Mapped[int | None] = mapped_column(BigInteger)


class RevocationRow(Base):
    """Tokens naming `subject` (a token id, session or user) and issued up to `before_us` are void."""

    __tablename__ = "revocations"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    before_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)


class RetentionClassRow(Base):
    """How long archives are kept. It counts (`active`) once a second person approved it."""

    __tablename__ = "retention_classes"
    __table_args__ = (
        Index(
            "uq_retention_classes_active",
            "organisation_id",
            "name",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(40))
    days: Mapped[int] = mapped_column(Integer)
    remove_objects: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16))
    proposed_by: Mapped[str] = mapped_column(String(64))
    proposed_us: Mapped[int] = mapped_column(BigInteger)
    approved_by: Mapped[str | None] = mapped_column(String(64), default=None)
    approved_us: Mapped[int | None] = mapped_column(BigInteger, default=None)


class ArchiveRequestRow(Base):
    """What one person asked for about an archive, and who else approved it. `request`: its terms as JSON."""

    __tablename__ = "archive_requests"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    consultation_id: Mapped[str] = mapped_column(ForeignKey("consultations.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    request: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(64))
    requested_us: Mapped[int] = mapped_column(BigInteger)
    approved_by: Mapped[str | None] = mapped_column(String(64), default=None)
    approved_us: Mapped[int | None] = mapped_column(BigInteger, default=None)


class AuditRow(Base):
    """Append-only: the database itself refuses to change or delete a row."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at_us: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(64))
