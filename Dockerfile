# muse_nb with ESO's MUSE recipes and JupyterLab, on Debian 12.
#
#   docker build -t muse_nb .
#   docker run --rm -it -p 127.0.0.1:8888:8888 -v /data/mynight:/home/observer/notebooks/night muse_nb
#   docker run --rm -it -v "$PWD":/home/observer/work -w /home/observer/work muse_nb muse-nb demo -o demo
#
# JupyterLab asks for its token; publish the port on 127.0.0.1 only, as above.
FROM debian:bookworm-slim

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates python3 python3-venv esorex cpl-plugin-muse chromium \
      gcc libc6-dev python3-dev pkg-config libcpl-dev \
 && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/muse_nb/bin:$PATH \
    LANG=C.UTF-8
COPY . /tmp/muse_nb
RUN python3 -m venv /opt/muse_nb \
 && cd /tmp/muse_nb \
 && pip install --no-cache-dir -c requirements.lock pip setuptools wheel \
 && pip install --no-cache-dir -c requirements.lock --no-build-isolation '.[cluster,eso,mpdaf]' \
 && cd / \
 && rm -rf /tmp/muse_nb \
 && muse-nb doctor --install

RUN useradd --create-home observer
USER observer
WORKDIR /home/observer
RUN muse-nb new notebooks

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--LabApp.default_url=/lab/tree/notebooks/start.ipynb"]
