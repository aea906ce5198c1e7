"""The catalogue, extended by the Customer Insights API: names, sizes, segments not yet exported.

Only segments with files can be exported. The API adds display names, semantic types, and the count of the last
evaluation where rows are not counted yet. A segment that it lists and that has no file is shown as incomplete.
When the API is unavailable, only the data of the files is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shared.errors import ConnectorError, NotFound
from shared.model.finding import Reason
from shared.model.source import Attribute, composed
from shared.segments.choosing.catalogue import (
    AttributeInfo,
    Catalogue,
    ListedSegments,
    SegmentInfo,
    SegmentSample,
)
from shared.segments.customer_insights_api import ApiSegment
from shared.segments.suggestions import suggest

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DescribedCatalogue:
    """Segments and attributes of both sources, combined. The functions are those of CustomerInsightsApi."""

    exported: Catalogue
    api_segments: Callable[[], list[ApiSegment]]
    api_attributes: Callable[[], list[Attribute]]

    def listing(self) -> ListedSegments:
        """Every segment that was exported, and every active one that was not yet, by name."""
        return self._listing(self.exported.listing())

    def overview(self) -> tuple[ListedSegments, list[AttributeInfo]]:
        """The segments and the attributes of all of them, from one listing of the container."""
        listing, attributes = self.exported.overview()
        return self._listing(listing), self._typed(attributes)

    def plain(self) -> list[str]:
        """The names of segments that no `model.json` lists. Unavailable, ConfigError (storage)."""
        return self.exported.plain()

    def sample(self, segments: Sequence[str]) -> SegmentSample | None:
        """Values of one of these segments, from its file."""
        return self.exported.sample(segments)

    def _listing(self, listing: ListedSegments) -> ListedSegments:
        exported = {each.name: each for each in listing.segments}
        try:
            known = {each.name: each for each in self.api_segments()}
        except ConnectorError as error:
            _LOG.warning("segments are shown without the Customer Insights API: %s", error.code)
            return listing
        described = {
            name: _described(each, known[name]) if name in known else each
            for name, each in exported.items()
        }
        for name, each in known.items():
            if name not in described and each.is_active:
                described[name] = SegmentInfo(
                    name,
                    each.display_name,
                    each.member_count,
                    each.evaluated_at,
                    complete=False,
                    reason=Reason("segmentMissing", values={"segments": name}),
                )
        return replace(listing, segments=tuple(each for _, each in sorted(described.items())))

    def attributes(self, segment: str | None = None) -> list[AttributeInfo]:
        """The attributes, with the profile's semantic types where `model.json` gives none."""
        try:
            exported = self.exported.attributes(segment)
        except NotFound:
            if segment is None or composed(segment) not in self._known():
                raise
            exported = []
        return self._typed(exported)

    def _typed(self, exported: list[AttributeInfo]) -> list[AttributeInfo]:
        try:
            profile = self.api_attributes()
        except ConnectorError as error:
            _LOG.warning("attributes are shown without the Customer Insights API: %s", error.code)
            return exported
        if not exported:
            # Exported segments carry all attributes of the profile.
            exported = [AttributeInfo(a.name, a.data_type, None, None) for a in profile]
        types = {each.name: each.semantic_type for each in profile}
        typed = [
            replace(each, semantic_type=each.semantic_type or types.get(each.name))
            for each in exported
        ]
        roles = suggest(
            [Attribute(each.name, each.data_type, each.semantic_type) for each in typed]
        )
        taken = set(roles.values())
        return [
            replace(
                each,
                suggested_for=roles.get(each.name)
                or (None if each.suggested_for in taken else each.suggested_for),
            )
            for each in typed
        ]

    def _known(self) -> set[str]:
        try:
            return {each.name for each in self.api_segments()}
        except ConnectorError:
            return set()


def _described(exported: SegmentInfo, known: ApiSegment) -> SegmentInfo:
    return replace(
        exported,
        display_name=known.display_name,
        member_count=(
            exported.member_count if exported.member_count is not None else known.member_count
        ),
    )
