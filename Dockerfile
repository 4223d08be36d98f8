# The images of coachworks; `coachworks images` prints how to build each under the tag that names its content.
#
#   serving    answers about photos
#   steps      runs the steps of the pipeline
#   platform   MLflow's server, and backups of its database
#   deployer   helm and the command
#
# A target's dependencies come before the code, so that a change of code rebuilds in seconds. What is installed is
# pinned by requirements.lock, with hashes. Nothing here needs BuildKit: buildah and older dockers build it too, and such as build all
# stages up to the target find them in the order of what they ask for.
#
# The digests are those of the images for all platforms. CONTRIBUTING.md says how to take newer ones.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3
ARG HELM_IMAGE=docker.io/alpine/helm:3.17.3@sha256:d899e6316789fec04ee95300a18e454b7942539cbb3d89bde3e0655d6ca2e895

# ---- What each target installs: the lines of the lock whose comment names it, with their hashes.
FROM ${PYTHON_IMAGE} AS requirements
WORKDIR /requirements
COPY requirements.lock ./
RUN for target in serving steps platform deployer; do \
      awk -v target="$target" '/^# images: / {gsub(",", ""); kept = index($0 " ", " " target " ")} kept' \
        requirements.lock > "$target.txt" && grep -q == "$target.txt" || exit 1; \
    done

# ---- What all of them share: a user, an empty virtual environment, settings.
FROM ${PYTHON_IMAGE} AS base
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin coachworks \
 && python3 -m venv --without-pip /opt/venv
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
    ORT_DISABLE_TELEMETRY=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    TOKENIZERS_PARALLELISM=false \
    MPLBACKEND=Agg \
    OMP_WAIT_POLICY=PASSIVE
WORKDIR /opt/coachworks
LABEL org.opencontainers.image.licenses="Apache-2.0"

# ---- The code, as in a checkout: what it is called and depends on, then itself, compiled.
FROM base AS code
ARG PIP_INDEX_URL
COPY LICENSE pyproject.toml ./
# Empty stand-ins, since a build asks for all that a wheel carries; an image has the files themselves.
RUN mkdir charts && touch README.md .dockerignore Dockerfile requirements.lock \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps --editable . \
 && rm -r charts README.md .dockerignore /opt/venv/lib/python3*/site-packages/coachworks
COPY Dockerfile requirements.lock ./
COPY coachworks coachworks
COPY components components
COPY pipelines pipelines
COPY serving serving
COPY validation validation
RUN python -m compileall -q --invalidation-mode unchecked-hash coachworks components pipelines serving validation

# ---- The same, reduced to what serving can reach: its tag names these files, so no other may be in it.
FROM code AS serving-code
RUN python -c "from pathlib import Path; from components import container_images; \
container_images.write_content('serving', Path('/tmp/content'))" \
 && rm -r /opt/coachworks/* /opt/venv/bin/coachworks && cp -r /tmp/content/. . \
 && python -m compileall -q --invalidation-mode unchecked-hash .

# ---- serving: no torch, no MLflow. It answers with the models that a release names, or with the bento at /bento.
FROM base AS serving-dependencies
ARG PIP_INDEX_URL
COPY --from=requirements /requirements/serving.txt /requirements/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
      --requirement /requirements/serving.txt \
 && pip --python /opt/venv/bin/python check

FROM serving-dependencies AS serving
COPY --from=serving-code /opt /opt
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="coachworks/serving" \
      org.opencontainers.image.description="Answers about photos" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
EXPOSE 3000
CMD ["python", "-m", "serving.launcher"]

# ---- helm, for the step that deploys and for the deployer
FROM ${HELM_IMAGE} AS helm

# ---- steps: the layers of serving, and what training and everything around it needs
FROM serving-dependencies AS steps-dependencies
# Chinese, Japanese and Korean in charts and documents: 7 MB. Other scripts: an image derived from this one.
RUN apt-get update && apt-get install --yes --no-install-recommends fonts-droid-fallback \
 && rm -rf /var/lib/apt/lists/*
ARG PIP_INDEX_URL
# Where torch's CPU build is; none (`--build-arg TORCH_INDEX=`): the package index, on Linux a CUDA build. The lock has
# the hashes of both. That of a wheel from another of PyTorch's indexes must be passed on as TORCH_HASH, `sha256:…`.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_HASH
COPY --from=requirements /requirements/steps.txt /requirements/
# The second installation is for the nvidia packages of a CUDA build, which the lock leaves to torch: it pins them.
RUN if [ -n "$TORCH_HASH" ]; then sed -i "s/^torch==[^ ]*/& --hash=$TORCH_HASH/" /requirements/steps.txt; fi \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
      ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement /requirements/steps.txt \
 && pip --python /opt/venv/bin/python install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch \
 && pip --python /opt/venv/bin/python check

FROM steps-dependencies AS steps
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=code /opt /opt
COPY charts charts
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="coachworks/steps" \
      org.opencontainers.image.description="Runs the steps of the pipeline" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
CMD ["coachworks", "--help"]

# ---- platform
FROM base AS platform-dependencies
# pg_dump refuses servers newer than itself: Debian 12 has version 15, Debian 13 (`--build-arg PYTHON_IMAGE=`) 17.
# The server's programs come along, so that the chart's own PostgreSQL needs no other image and always fits pg_dump;
# without its package's perl, certificates and LLVM.
RUN apt-get update \
 && server=$(apt-cache depends postgresql | awk '$1 == "Depends:" && $2 ~ /^postgresql-[0-9]+$/ {print $2}') \
 && apt-get install --yes --no-install-recommends postgresql-client \
      $(apt-cache depends "$server" | awk '$1 == "Depends:" && $2 ~ /^lib/ && $2 !~ /^libllvm/ {print $2}') \
 && cd /tmp && apt-get download "$server" && dpkg-deb --extract "$server"_*.deb / && rm "$server"_*.deb \
 && rm -rf /usr/lib/postgresql/*/lib/bitcode /usr/lib/postgresql/*/lib/llvmjit* \
 && rm -rf /var/lib/apt/lists/*
ARG PIP_INDEX_URL
COPY --from=requirements /requirements/platform.txt /requirements/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
      --requirement /requirements/platform.txt \
 && pip --python /opt/venv/bin/python check

# The code, reduced to the programs of MLflow's server.
FROM code AS platform-code
RUN python -c "from pathlib import Path; from components import container_images; \
container_images.write_content('platform', Path('/tmp/content'))" \
 && rm -r /opt/coachworks/* /opt/venv/bin/coachworks && cp -r /tmp/content/. . \
 && python -m compileall -q --invalidation-mode unchecked-hash .

FROM platform-dependencies AS platform
COPY --from=platform-code /opt /opt
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="coachworks/platform" \
      org.opencontainers.image.description="MLflow's server, and backups of its database" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
CMD ["python", "-m", "coachworks.mlflow_server", "--help"]

# ---- deployer
FROM base AS deployer-dependencies
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
ARG PIP_INDEX_URL
COPY --from=requirements /requirements/deployer.txt /requirements/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
      --requirement /requirements/deployer.txt \
 && pip --python /opt/venv/bin/python check

FROM deployer-dependencies AS deployer
COPY --from=code /opt /opt
COPY charts charts
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="coachworks/deployer" \
      org.opencontainers.image.description="helm and the command" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
CMD ["coachworks", "--help"]
