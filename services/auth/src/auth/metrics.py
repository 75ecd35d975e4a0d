"""What auth counts. Labels are names of ours, never ids of people."""

from prometheus_client import Counter

SIGN_INS = Counter("auth_sign_ins", "Sign-ins that came back from Strava", ["outcome"])
REFRESHES = Counter("auth_token_refreshes", "Refreshes of access tokens at Strava", ["outcome"])
REVOCATIONS = Counter("auth_revocations", "Permissions that were to be ended at Strava", ["outcome"])
UNREADABLE = Counter("auth_unreadable_tokens", "Reads of tokens that cannot be decrypted", ["table"])
