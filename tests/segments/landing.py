"""A separate landing container on Azurite, filled by tests."""

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from shared.model.source import LoadedSegment, SegmentSnapshot
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import LandingContainer
from shared.segments.finding.survey import Survey, Surveyor
from tests import reused_databases
from tests.segments.segment_files import model_json

ROOT = "CustomerInsights_1/Export"


class Landing:
    """Writes blobs, and reads them as the app does."""

    def __init__(self, client: ContainerClient) -> None:
        self.client = client
        self.url = str(client.url)

    def put(self, name: str, data: bytes) -> None:
        self.client.upload_blob(name, data, overwrite=True)

    def model(self, *entities: dict[str, object], folder: str = ROOT) -> None:
        self.put(f"{folder}/model.json", model_json(*entities))

    @property
    def container(self) -> LandingContainer:
        return LandingContainer(self.client)

    def segments(self, root: str = "") -> BlobSegments:
        return BlobSegments(self.container, root)

    def survey(self, root: str = "") -> Survey:
        return Surveyor(self.container, root).survey()

    def freeze(self, name: str, root: str = "") -> SegmentSnapshot:
        return self.segments(root).snapshot([name]).segments[0]

    def load(
        self, segment: SegmentSnapshot, columns: Sequence[str], scratch: Path
    ) -> tuple[list[tuple[Any, ...]], LoadedSegment]:
        """The rows (file, line, cells ...) of a pinned segment, file by file, and what their loading returned."""
        cells = "".join(f", c{place} VARCHAR" for place in range(len(columns)))
        with reused_databases.connect() as connection:
            connection.execute(f"CREATE TABLE t (file VARCHAR, line BIGINT{cells})")
            loaded = self.segments().load(connection, segment, columns, "t", scratch)
            rows = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
        return sorted(rows, key=itemgetter(0)), loaded
