"""The shapes of the Agent Server's wire, under the names the official SDKs give them."""
