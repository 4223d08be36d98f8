"""Exceptions that a user can meet, and the tree of all exceptions that coachworks raises on purpose.

Messages name the setting or thing, the rule, the value and the way out. The classes below are shared; the others are
defined in the module beside their name (`make golden` updates the tree)::

    CoachworksError
        DataError
            DamagedError
            PhotoError
                LargePhotoError     coachworks.photos.formats
                LimitError          coachworks.decoders.limits
            ReportError             coachworks.results
        InvalidConfigError
            AccessDeniedError       coachworks.s3.errors
            ForbiddenError          coachworks.kubernetes_api.failures
            InvalidFleetError       coachworks.fleet.problems
            NameTakenError          components.deploy.cluster.ownership
        NotFoundError
            FeaturesMissingError    coachworks.features
            ObjectMissingError      coachworks.s3.errors
        TransientError
            ConcurrentChangeError   coachworks.tracking.failures
            DecodersDownError       coachworks.decoders.limits
        BackupError                 coachworks.mlflow_server.backups
        BentoBuildError             components.package.bento_build
        BusyError                   components.deploy.cluster.lease
        CanaryFailedError           components.deploy.canary.checks
        CheckError                  coachworks.mlflow_server.check
        ConflictError               coachworks.kubernetes_api.failures
        DecoderFailedError          coachworks.decoders.pool
        DeployError                 components.deploy.rollout
        HeldError                   coachworks.leases
        HelmError                   components.deploy.helm.failures
            UnfinishedError         components.deploy.helm.failures
        LostError                   components.deploy.cluster.lease
        NotDoneError                coachworks.results
        ObjectChangedError          coachworks.s3.errors
        ObjectUnreadableError       coachworks.s3.errors
        PdfError                    components.document.typst_pdf
        RefusalError                serving.errors
            UnknownSkillError       serving.errors
        RemoteError                 serving.client
        RemovalError                components.deploy.removals
        RolloutError                components.deploy.cluster.readiness
        ServerError                 coachworks.child_server
            ServerNotReadyError     coachworks.child_server
        StorageError                coachworks.storage_failures

`TransientError` is the only class whose work may be repeated unchanged.
"""

import shlex


class CoachworksError(Exception):
    """Base of every error that coachworks raises on purpose."""

    exit_status = 1  # of the command that it ends


class InvalidConfigError(CoachworksError, ValueError):
    """A setting violates its rule."""

    exit_status = 2


class NotFoundError(CoachworksError, LookupError):
    """A named thing does not exist: a file, a result, a model version."""


class DataError(CoachworksError, ValueError):
    """The data cannot be used as they are."""


class DamagedError(DataError):
    """An object of the store, or a file of a tree, is not what was written.

    Attributes:
        key: Its key.
        store: Address of the store.
        problem: The difference, in words.
    """

    def __init__(self, key: str, store: str, problem: str) -> None:
        super().__init__(
            f"{key!r} of the store {store} is damaged: {problem}. Run `coachworks store verify --repair "
            f"{shlex.quote(store)}`: it removes what can be made again, and names the command that makes it."
        )
        self.key, self.store, self.problem = key, store, problem

    def __reduce__(self) -> tuple[type["DamagedError"], tuple[str, str, str]]:
        return type(self), (self.key, self.store, self.problem)


class PhotoError(DataError):
    """A file that is not a usable photo.

    Attributes:
        reason: Machine-readable code, one of `coachworks.photos.Reason`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["PhotoError"], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class TransientError(CoachworksError):
    """A temporary failure outside of coachworks; the same work may succeed when it is repeated."""
