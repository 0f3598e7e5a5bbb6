"""Landing page, conformance and the list of collections (OGC API Common and Features)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.narrowing import CRS84
from geoservice.api.ogc_tiles import CONFORMANCE as TILES_CONFORMANCE
from geoservice.api.ogc_tiles import tilesets_link
from geoservice.api.parameters import CallerAccess, ServiceSettings
from geoservice.asyncapi import MEDIA_TYPE as ASYNCAPI
from geoservice.settings import CitySettings
from layers.access import Access
from layers.base import Layer
from layers.registry import get_layer, layers_at

router = APIRouter(tags=["Collections"])

CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions-plus",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/property-property",
)

Json = dict[str, Any]


@router.get("/", summary="Landing page")
async def landing_page(request: Request, settings: ServiceSettings) -> Response:
    """What the service is and where its parts are."""
    base = base_url(request)
    city = settings.city
    return json_response(
        {
            "title": f"Spatio-temporal city information: {city.name_en}",
            "title_zh": f"{city.name_zh}时空信息云服务平台",
            "description": "Layers of the city with their whole history, as features and tiles.",
            "links": [
                _link(f"{base}/", "self", "This page"),
                _link(
                    f"{base}/api",
                    "service-desc",
                    "The API",
                    "application/vnd.oai.openapi+json;version=3.1",
                ),
                _link(f"{base}/conformance", "conformance", "Conformance"),
                _link(f"{base}/collections", "data", "Collections"),
                _link(
                    f"{base}/tileMatrixSets",
                    "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes",
                    "Grids of tiles",
                ),
                _link(f"{base}/asyncapi", "related", "What it sends by itself", ASYNCAPI),
                _link(f"{base}/map", "related", "Map 地图", "text/html"),
            ],
        }
    )


@router.get("/conformance", summary="Conformance classes")
async def conformance() -> Response:
    """The conformance classes that the service keeps."""
    return json_response({"conformsTo": [*CONFORMANCE, *TILES_CONFORMANCE]})


@router.get("/collections", summary="Collections")
async def collections(
    request: Request, settings: ServiceSettings, access: CallerAccess
) -> Response:
    """The layers that the caller may know of."""
    base = base_url(request)
    return json_response(
        {
            "links": [_link(f"{base}/collections", "self", "This page")],
            "collections": [
                _collection(layer, base, settings.city, access)
                for layer in reversed(layers_at(access.level))
            ],
        },
        headers=_of_caller(access),
    )


@router.get("/collections/{layer}", summary="One collection")
async def collection(
    request: Request, settings: ServiceSettings, access: CallerAccess, layer: str
) -> Response:
    """One layer: its extent and where its features and tiles are."""
    found = get_layer(layer, access.level)
    return json_response(
        _collection(found, base_url(request), settings.city, access), headers=_of_caller(access)
    )


def _of_caller(access: Access) -> dict[str, str]:
    """Headers of an answer that another key would see differently."""
    return {"Cache-Control": cache_control(access), "Vary": "Authorization"}


def _collection(layer: Layer, base: str, city: CitySettings, access: Access) -> Json:
    here = f"{base}/collections/{layer.name}"
    return {
        "id": layer.name,
        "title": layer.title.en,
        "title_zh": layer.title.zh,
        "description": layer.description.en,
        "description_zh": layer.description.zh,
        "itemType": "feature",
        "clearance": layer.clearance.label,
        "geometryType": layer.geometry_type.value,
        "attributes": [
            {
                "name": attribute.name,
                "type": attribute.type.value,
                "title": attribute.title.as_json(),
                **({"unit": attribute.unit} if attribute.unit else {}),
            }
            for attribute in layer.attributes_at(access.level)
        ],
        "extent": {
            "spatial": {"bbox": [list(city.extent)], "crs": CRS84},
            "temporal": {"interval": [[None, None]]},
        },
        "crs": [CRS84],
        "links": [
            _link(here, "self", layer.title.en),
            _link(f"{here}/items", "items", layer.title.en, "application/geo+json"),
            _link(
                f"{here}/queryables",
                "http://www.opengis.net/def/rel/ogc/1.0/queryables",
                "What filters may name",
                "application/schema+json",
            ),
            _link(f"{base}/tiles/{layer.name}.json", "tilejson", "TileJSON"),
            tilesets_link(base, layer),
        ],
    }


def _link(href: str, rel: str, title: str, media_type: str = "application/json") -> Json:
    return {"href": href, "rel": rel, "type": media_type, "title": title}
