# The version that CI tests with.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /build
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/holdfast \
    && /opt/holdfast/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
# The wheel is built by the hatchling of the lock, not by whichever is newest today.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/holdfast/bin/pip install --no-cache-dir --no-deps wheels/*.whl \
    && /opt/holdfast/bin/python -m compileall -q /opt/holdfast/lib

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/holdfast holdfast
COPY --from=build /opt/holdfast /opt/holdfast
WORKDIR /app
COPY langgraph.json ./
COPY tools tools
COPY graph graph
COPY --chmod=755 deploy/entrypoint.sh /usr/local/bin/with-secrets
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOLDFAST_AUTH=keys \
    HOLDFAST_DATA=/var/lib/holdfast/data
USER holdfast
VOLUME /var/lib/holdfast
EXPOSE 8123
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8123/ok', timeout=2)"]
ENTRYPOINT ["with-secrets"]
CMD ["holdfast", "serve", "--host", "0.0.0.0", "--port", "8123"]
