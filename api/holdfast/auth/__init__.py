"""Who is calling, and what the project's own rules let a caller do."""

from holdfast.auth.dev import TENANT, DevAuthenticator, check_address
from holdfast.auth.signin import Authenticator, SignIn
from holdfast.auth.ways import open_sign_in

__all__ = ["TENANT", "Authenticator", "DevAuthenticator", "SignIn", "check_address", "open_sign_in"]
