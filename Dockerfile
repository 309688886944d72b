# The page in a container, on the CPU:
#   docker build --tag textdiff --build-arg TORCH_INDEX=URL .
#   docker run --publish 7860:7860 textdiff
# What comes after the name goes to app.py: docker run --publish 7860:7860 textdiff --auth USER:PASSWORD
FROM python:3.12-slim

# URL is the index of CPU builds that pytorch.org names: torch and torchvision in the versions of requirements.txt,
# without CUDA, gigabytes less. With no index they are the CUDA builds, which work as well.
COPY requirements.txt /tmp/
ARG TORCH_INDEX
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} $(grep -E "^(torch|torchvision)==" /tmp/requirements.txt) \
 && pip install --no-cache-dir -r /tmp/requirements.txt

RUN useradd --create-home --uid 1000 textdiff
WORKDIR /home/textdiff/app
COPY app.py ./
COPY textdiff textdiff/
COPY assets assets/
RUN python -m compileall -q app.py textdiff

# Visitors' runs and what libraries keep go to /tmp and the home folder; the code is not the user's to change.
USER textdiff
ENV PYTHONUNBUFFERED=1 TEXTDIFF_HOST=0.0.0.0 TEXTDIFF_PORT=7860
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['TEXTDIFF_PORT'], timeout=5)"]
ENTRYPOINT ["python", "app.py"]
