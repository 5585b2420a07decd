"""docs/api.md is what the routes say."""

from deploy.api_page import PAGE, operations_of, page, schema


def test_the_page_of_the_api_is_made_of_the_routes() -> None:
    assert PAGE.read_text() == page(), "make api-page"


def test_every_route_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert not [one for one in operations_of(schema()) if f"`{one.method.upper()} {one.path}`" not in text]
