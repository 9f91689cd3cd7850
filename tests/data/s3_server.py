"""A real S3 server on the loopback, for as long as a context lasts."""

import contextlib
import logging
import urllib.request

import pytest


@contextlib.contextmanager
def s3_server():
    """Gives the options of fsspec for an empty server."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"key": "key", "secret": "secret", "endpoint_url": f"http://{host}:{port}"}
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    server.stop()


def upload(folder, store, bucket):
    """Copies a folder into a new bucket."""
    files = pytest.importorskip("s3fs").S3FileSystem(**store)
    files.mkdir(bucket)
    files.put(str(folder), f"{bucket}/{folder.name}", recursive=True)
