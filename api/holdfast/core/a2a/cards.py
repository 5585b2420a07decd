"""Agent cards: what an assistant is, where it is called, and how a caller shows who he is."""

from holdfast import __version__
from holdfast.core.a2a.messages import JSON_TYPE, Json
from holdfast.core.platform import Platform
from holdfast.redis.assistants import AssistantRecord

VERSIONS = ("1.0", "0.3")
TEXT = "text/plain"


def describe(platform: Platform, assistant: AssistantRecord, url: str) -> Json:
    """The card of an assistant that is called at `url`."""
    graph_id = assistant.content.graph_id
    name = assistant.content.name or graph_id
    about = assistant.content.description or f"The assistant {name}."
    return {
        "name": name,
        "description": about,
        "version": __version__,
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version} for version in VERSIONS
        ],
        "capabilities": {
            "streaming": True,
            "pushNotifications": not platform.project.http.disable_webhooks,
            "extendedAgentCard": False,
        },
        "defaultInputModes": [TEXT, JSON_TYPE],
        "defaultOutputModes": [TEXT, JSON_TYPE],
        "skills": [{"id": graph_id, "name": name, "description": about, "tags": ["langgraph"]}],
        **sign_in(platform),
    }


def sign_in(platform: Platform) -> Json:
    """API keys are taken beside each way to sign in; behind a gateway it is for the gateway to say."""
    if platform.settings.auth == "dev":  # who shows nothing is the demo caller
        return {}
    schemes: Json = {"apiKey": {"apiKeySecurityScheme": {"location": "header", "name": "x-api-key"}}}
    if platform.settings.auth in ("jwt", "spiffe"):
        schemes["bearer"] = {"httpAuthSecurityScheme": {"scheme": "Bearer", "bearerFormat": "JWT"}}
    required: list[Json] = [{"schemes": {name: {"list": []}}} for name in schemes]
    return {"securitySchemes": schemes, "securityRequirements": required}
