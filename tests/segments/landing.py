"""A separate landing container on Azurite, filled by tests."""

from azure.storage.blob import ContainerClient

from shared.model.source import SegmentSnapshot
from shared.segments.container import LandingContainer
from shared.segments.source import BlobSegments
from shared.segments.survey import Survey, Surveyor
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
