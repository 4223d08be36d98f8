"""Tags of runs and model versions in MLflow by which the parts of coachworks find them again."""

EVALUATE = "coachworks.evaluate"  # key of the evaluation that a run or version belongs to
PREDICTIONS_DIGEST = "predictions_digest"  # of a version: SHA-256 of its run's test/predictions.parquet
KIND = "coachworks.kind"  # of a run: RUN or CANDIDATE
RUN, CANDIDATE = "run", "candidate"  # values of KIND
HEAD_DIGEST = "head_digest"  # of a version: SHA-256 of its head
JUDGED = "coachworks.judged"  # of a version, set last: champion or challenger; its aliases are final
COMPARISON = "coachworks.comparison"  # of a version: JSON of the comparison with the champion
PROMOTING = "coachworks.promoting."  # prefix of tags of a registered model: claims of registrations that promote
REASON = "reason"  # of a version: why it is champion or challenger, in words
BALANCED_ACCURACY = "balanced_accuracy"  # of a version: on the test split of its own evaluation
