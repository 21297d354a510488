# headwater as a container: `docker build -t headwater .`; runs any of its commands, `headwater server` unless told.

FROM python:3.13.9-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.9.11
WORKDIR /build
COPY . .
RUN uv venv /opt/headwater \
    && uv pip install --python /opt/headwater/bin/python --constraint constraints.txt '.[service,server]'

FROM python:3.13.9-slim
COPY --from=build /opt/headwater /opt/headwater
# A volume at /data takes over its owner from here.
RUN mkdir /data && chown 10001:10001 /data
ENV PATH=/opt/headwater/bin:$PATH HOME=/data PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
EXPOSE 8470
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["headwater", "health"]
ENTRYPOINT ["headwater"]
CMD ["server", "--host", "0.0.0.0"]
