"""Segments: what Customer Insights exported, and its REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.ports import SegmentSource
from shared.segments.blob_segments import BlobSegments
from shared.segments.choosing.catalogue import Catalogue
from shared.segments.choosing.described_catalogue import DescribedCatalogue
from shared.segments.choosing.remembered_responses import Remembered
from shared.segments.choosing.stored_row_counts import StoredRowCounts
from shared.segments.container import LandingContainer
from shared.segments.customer_insights_api import CustomerInsightsApi
from shared.storage.clients import landing_clients

if TYPE_CHECKING:
    from shared.app import App


def landing(app: App) -> LandingContainer:
    """The container to which Customer Insights exports segments."""
    where = app.settings.segments
    # With connections of its own, beside those for the outcome files.
    return LandingContainer(landing_clients(where.storage).container(where.container))


def source(app: App) -> SegmentSource:
    """Reads segments from files that are pinned to their ETags."""
    where = app.settings.segments
    return BlobSegments(app.landing, where.root, where.null_markers, app.runtime.now)


def catalogue(app: App) -> Catalogue | DescribedCatalogue:
    """Segments and attributes; with names and sizes from the REST API where configured."""
    counts = StoredRowCounts(app.files)
    exported = Catalogue(app.landing, app.settings.segments.root, counts, now=app.runtime.now)
    api = app.customer_insights
    if api is None:
        return exported
    return DescribedCatalogue(
        exported,
        Remembered(api.segments, app.runtime.monotonic),
        Remembered(api.attributes, app.runtime.monotonic),
    )


def customer_insights(app: App) -> CustomerInsightsApi | None:
    """The REST API of Customer Insights; None where no environment is configured."""
    where = app.settings.customer_insights
    if not where.instance_id:
        return None
    return CustomerInsightsApi(
        where.api_url,
        where.instance_id,
        where.subscription_key,
        app.export_users.token,
        app.runtime.sleep,
        refused=app.export_users.refused,
    )
