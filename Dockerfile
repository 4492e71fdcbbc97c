# zdemo in a container. Two targets: `docker build --target emulator .` and `docker build --target api .`
# docs/guides/containers.md explains both; compose.emulator.yaml runs them together.

# Any Debian with Python from 3.11 on and its venv and pip: `make container` makes one of Debian's own packages.
ARG BASE=python:3.11-slim

FROM $BASE AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE requirements.txt .ci/uv.txt ./
COPY docs docs
COPY zdemo zdemo
# Without pip in it, the environment holds only what runs, in exact versions, whose hashes uv checks. The extras are
# for the emulator, and for ZDEMO_CACHE_URL.
RUN python3 -m venv --without-pip /opt/zdemo && \
    pip3 install --no-cache-dir --target /tmp/uv --require-hashes -r uv.txt && \
    /tmp/uv/bin/uv pip install --system-certs --no-cache --compile-bytecode -p /opt/zdemo \
    -b requirements.txt -c requirements.txt '.[grpc,redis]'

FROM $BASE AS zdemo
RUN useradd --create-home --uid 10001 zdemo
COPY --from=build /opt/zdemo /opt/zdemo
ENV PATH=/opt/zdemo/bin:$PATH
# A number, so that Kubernetes can tell that it is not root
USER 10001
WORKDIR /home/zdemo
ENTRYPOINT ["zdemo"]

# 0.0.0.0 is the container's own network. The published port decides who can reach it.
FROM zdemo AS api
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["python", "-c", "\
from http.client import HTTPConnection as C; c = C('127.0.0.1', 5000, timeout=2); \
c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["serve", "--host", "0.0.0.0"]

FROM zdemo AS emulator
EXPOSE 8484
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["python", "-c", "\
from http.client import HTTPConnection as C; c = C('127.0.0.1', 8484, timeout=2); \
c.request('GET', '/debug/ready'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["emulator", "--host", "0.0.0.0", "--expose-emulator"]
