# The images of coachworks; `coachworks images` prints how to build each under the tag that names its content.
#
#   serving    answers about photos
#   steps      runs the steps of the pipeline
#   platform   MLflow's server, and backups of its database
#   deployer   helm and the command
#
# A target's dependencies come before the code, so that a change of code rebuilds in seconds. What is installed is
# pinned by requirements.lock. Nothing here needs BuildKit: buildah and older dockers build it too.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG HELM_IMAGE=docker.io/alpine/helm:3.17.3

# ---- What each target installs, as pyproject.toml says it.
FROM ${PYTHON_IMAGE} AS requirements
WORKDIR /requirements
COPY pyproject.toml ./
RUN for target in "serving serving s3" "steps serving s3 steps" "platform platform s3" "deployer s3"; do \
      set -- $target && name=$1 && shift && python3 -c "import sys, tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = [line for extra in sys.argv[1:] for line in project['optional-dependencies'][extra]]; \
print(*(line for line in project['dependencies'] + extras if not line.startswith('coachworks[')), sep='\n')" \
      "$@" > "$name.txt" || exit 1; \
    done

# ---- What all of them share: a user, an empty virtual environment, settings.
FROM ${PYTHON_IMAGE} AS base
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin coachworks \
 && python3 -m venv --without-pip /opt/venv \
 && mkdir /opt/coachworks
# The root file system may be read-only: all that is written goes under /tmp, which is then a volume.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=coachworks \
    XDG_CACHE_HOME=/tmp/.cache \
    XDG_CONFIG_HOME=/tmp/.config \
    XDG_DATA_HOME=/tmp/.local/share \
    MPLCONFIGDIR=/tmp/.cache/matplotlib \
    BENTOML_HOME=/tmp/bentoml \
    COACHWORKS_CACHE=/tmp/coachworks \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true \
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false \
    BENTOML_DO_NOT_TRACK=True \
    NO_ALBUMENTATIONS_UPDATE=1 \
    GX_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    TOKENIZERS_PARALLELISM=false \
    MPLBACKEND=Agg \
    OMP_WAIT_POLICY=PASSIVE
WORKDIR /opt/coachworks
# pip's own settings reach it as build arguments; they do not stay in the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST

# ---- serving
FROM base AS serving-dependencies
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY requirements.lock /opt/coachworks/
COPY --from=requirements /requirements/serving.txt /tmp/serving.txt
RUN pip --python /opt/venv/bin/python install --no-cache-dir \
      --constraint requirements.lock --requirement /tmp/serving.txt

FROM serving-dependencies AS serving
COPY LICENSE Dockerfile pyproject.toml /opt/coachworks/
RUN touch README.md && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --editable .
COPY coachworks coachworks
COPY components components
COPY pipelines pipelines
COPY serving serving
COPY validation validation
RUN python -m compileall -q coachworks components pipelines serving validation
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="coachworks/serving" \
      org.opencontainers.image.description="Answers about photos" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
EXPOSE 3000
CMD ["coachworks", "--help"]

# ---- steps: serving's layers, and more
FROM serving-dependencies AS steps-dependencies
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# Where torch's CPU build is. Another of its indexes, or none (`--build-arg TORCH_INDEX=`), gives a CUDA build, whose
# nvidia packages the lock does not pin: torch pins them itself.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY --from=requirements /requirements/steps.txt /tmp/steps.txt
RUN pip --python /opt/venv/bin/python install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
      --constraint requirements.lock --requirement /tmp/steps.txt

FROM steps-dependencies AS steps
COPY LICENSE Dockerfile pyproject.toml /opt/coachworks/
RUN touch README.md && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --editable .
COPY coachworks coachworks
COPY components components
COPY pipelines pipelines
COPY serving serving
COPY validation validation
RUN python -m compileall -q coachworks components pipelines serving validation
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="coachworks/steps" \
      org.opencontainers.image.description="Runs the steps of the pipeline" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
CMD ["coachworks", "--help"]
