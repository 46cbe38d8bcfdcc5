// Made from the OpenAPI document by `npm run docs`; a test fails when it is out of date. Not edited by hand.

export type GetMetricsAnswer = unknown
export type GetVersionedMetricsAnswer = unknown
export type GetPasskeyOptionsBody = ({

} | null)
export type SignInInput = ({
/**
 * A login name or an address; case does not matter.
 */
login: string
password: string
/**
 * Of the authenticator app; each is taken once.
 */
code: string
/**
 * `cookie` for a browser, `token` for a program that a person runs.
 */
as?: ("cookie" | "token")
} | {
/**
 * A login name or an address; case does not matter.
 */
login: string
password: string
recoveryCode: string
/**
 * `cookie` for a browser, `token` for a program that a person runs.
 */
as?: ("cookie" | "token")
} | {
passkey: {
id: string
rawId: string
type: "public-key"
clientExtensionResults?: {
[k: string]: unknown
}
authenticatorAttachment?: string
response: {
clientDataJSON: string
authenticatorData: string
signature: string
userHandle?: string
[k: string]: unknown
}
[k: string]: unknown
}
/**
 * `cookie` for a browser, `token` for a program that a person runs.
 */
as?: ("cookie" | "token")
})
export type EnrolmentInput = ({
token: string
password: string
/**
 * Of the authenticator app; each is taken once.
 */
code: string
/**
 * `cookie` for a browser, `token` for a program that a person runs.
 */
as?: ("cookie" | "token")
} | {
token: string
passkey: {
id: string
rawId: string
type: "public-key"
clientExtensionResults?: {
[k: string]: unknown
}
authenticatorAttachment?: string
response: {
clientDataJSON: string
attestationObject: string
/**
 * @maxItems 16
 */
transports?: string[]
[k: string]: unknown
}
[k: string]: unknown
}
/**
 * `cookie` for a browser, `token` for a program that a person runs.
 */
as?: ("cookie" | "token")
})
export type CreateMessageAnswer = ((AcceptedMessage | DryRun) | AcceptedMessage)
/**
 * Final: delivered, undelivered, expired, cancelled, rejected, unknown.
 * 
 */
export type State = ("accepted" | "deferred" | "queued" | "sending" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown")
/**
 * Final: delivered, undelivered, expired, cancelled, rejected, unknown.
 * 
 */
export type StateInput = ("accepted" | "deferred" | "queued" | "sending" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown")
export type CancelMessageBody = ({

} | null)
export type RetireTemplateBody = ({

} | null)
export type GetPolicyAnswer = unknown
export type PolicyProposalRequestInput = ({
/**
 * A whole version of a pack, YAML.
 */
text: string
why: string
} | {
pack: string
/**
 * @minItems 1
 * @maxItems 50
 */
changes: {
rule: string
/**
 * Such as `retention.content.max`, or `window.open.*.end`; `*` is every item.
 */
path: string
value: (string | number | boolean | null)
}[]
effectiveFrom?: string
why: string
})
export type CheckPolicyProposalBody = ({

} | null)
export type SimulatePolicyProposalBody = ({

} | null)
export type ApprovePolicyProposalBody = ({

} | null)
export type PublishPolicyProposalBody = ({
from?: string
} | null)
export type WithdrawPolicyProposalBody = ({

} | null)
export type WithdrawConsentBody = (WithdrawalRequestInput | null)
export type RevokeRecipientKeyBody = ({

} | null)
export type HoldRequestInput = ({
scope: "message"
messageId: string
/**
 * Why, in a word.
 */
ground: string
/**
 * Opaque reference to the matter that it serves.
 */
reason?: string
/**
 * Id of the person who approves it, not of who places it: an approver, an administrator or compliance. They say so themselves, or reject it.
 */
approvedBy?: string
reviewAt?: string
} | {
scope: "subject"
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
/**
 * Why, in a word.
 */
ground: string
/**
 * Opaque reference to the matter that it serves.
 */
reason?: string
/**
 * Id of the person who approves it, not of who places it: an approver, an administrator or compliance. They say so themselves, or reject it.
 */
approvedBy?: string
reviewAt?: string
} | {
scope: "period"
/**
 * Messages accepted from then on,
 */
from: string
/**
 * and until then, both included; those to come where it is absent.
 */
to?: string
/**
 * Why, in a word.
 */
ground: string
/**
 * Opaque reference to the matter that it serves.
 */
reason?: string
approvedBy: string
reviewAt: string
} | {
scope: "tenant"
/**
 * Why, in a word.
 */
ground: string
/**
 * Opaque reference to the matter that it serves.
 */
reason?: string
approvedBy: string
reviewAt: string
})
export type ReleaseHoldBody = ({

} | null)
export type ApproveHoldBody = ({

} | null)
export type RejectHoldBody = ({

} | null)
export type AcknowledgeSubjectRequestBody = ({

} | null)
export type StopSendQueueInput = ({
/**
 * Hand what waits to other queues, one-time codes first, where routing, policies and budgets let it. What may go nowhere else waits on.
 */
moveWaiting?: boolean
} | null)
export type ResumeQueueBody = ({

} | null)
/**
 * A JWK: Ed25519, P-256, or RSA of 2048 to 4096 bits.
 * 
 */
export type PublicKeyInput = ({
kty: "OKP"
crv: "Ed25519"
x: string
alg?: "EdDSA"
kid?: string
use?: "sig"
} | {
kty: "EC"
crv: "P-256"
x: string
y: string
alg?: "ES256"
kid?: string
use?: "sig"
} | {
kty: "RSA"
n: string
e: string
alg?: ("PS256" | "RS256" | "PS512")
kid?: string
use?: "sig"
})
export type RotateApiKeyBody = (ApiKeyRotationInput | null)
export type RevokeApiKeyBody = ({

} | null)
export type GetEvidenceCheckpointAnswer = unknown
export type ExportEvidenceAnswer = unknown
export type RotateWebhookSecretBody = (WebhookRotationRequestInput | null)
export type VerifyWebhookEndpointBody = ({

} | null)
export type EnableWebhookEndpointBody = ({

} | null)
export type DisableWebhookEndpointBody = ({

} | null)
/**
 * Deliveries by id, or those of events of that time.
 * 
 */
export type WebhookReplayRequestInput = ({
/**
 * @minItems 1
 * @maxItems 1000
 */
deliveries: string[]
} | {
from: string
to?: string
/**
 * `waiting`: what is to be tried again later is tried now.
 * 
 * @minItems 1
 */
states?: ("waiting" | "delivered" | "failed")[]
})
export type RenewEnrolmentBody = ({

} | null)
export type EndPersonBody = (PersonEndingInput | null)
export type SignOutBody = ({

} | null)
export type SignOutAnswer = unknown
export type EndSessionBody = ({

} | null)
export type EndSessionAnswer = unknown
export type ChangePasswordAnswer = unknown
export type RenewRecoveryCodesBody = ({

} | null)
export type BeginPasskeyBody = ({

} | null)
export type RemovePasskeyBody = ({

} | null)
export type RemovePasskeyAnswer = unknown

export interface Nothing {

}
/**
 * As RFC 8414 words it
 * 
 */
export interface GetTokenMetadataAnswer {
issuer: string
token_endpoint: string
jwks_uri: string
response_types_supported: string[]
grant_types_supported: string[]
scopes_supported: string[]
token_endpoint_auth_methods_supported: string[]
token_endpoint_auth_signing_alg_values_supported: string[]
dpop_signing_alg_values_supported: string[]
tls_client_certificate_bound_access_tokens: boolean
}
/**
 * The keys, those of before among them
 * 
 */
export interface GetPublicKeysAnswer {
keys: {
kty: string
[k: string]: unknown
}[]
}
/**
 * It does
 * 
 */
export interface GetHealthAnswer {
status: "up"
version: string
}
/**
 * They can
 * 
 */
export interface GetReadinessAnswer {
ready: boolean
checks: {
[k: string]: "up" | "down"
}
}
/**
 * The keys, those of before among them
 * 
 */
export interface GetVersionedPublicKeysAnswer {
keys: {
kty: string
[k: string]: unknown
}[]
}
/**
 * It does
 * 
 */
export interface GetVersionedHealthAnswer {
status: "up"
version: string
}
/**
 * They can
 * 
 */
export interface GetVersionedReadinessAnswer {
ready: boolean
checks: {
[k: string]: "up" | "down"
}
}
/**
 * Options for navigator.credentials.get
 * 
 */
export interface GetPasskeyOptionsAnswer {
[k: string]: unknown
}
export interface SignedIn {
id: string
personId: string
tenantId: string
/**
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
method: ("password" | "recovery" | "passkey" | "sso")
startedAt: string
/**
 * When a second factor was last shown.
 */
mfaAt: string
endsAt: string
/**
 * When it ends unless it is used before.
 */
idleEndsAt: string
/**
 * Only where it was asked for; shown once.
 */
token?: string
}
export interface Session {
id: string
personId: string
tenantId: string
/**
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
method: ("password" | "recovery" | "passkey" | "sso")
startedAt: string
/**
 * When a second factor was last shown.
 */
mfaAt: string
endsAt: string
/**
 * When it ends unless it is used before.
 */
idleEndsAt: string
}
export interface EnrolmentBeginInput {
token: string
}
export interface EnrolmentOffer {
personId: string
login: string
/**
 * For an authenticator app.
 */
totp: {
secret: string
uri: string
}
/**
 * Options for `navigator.credentials.create`.
 */
passkey: {
[k: string]: unknown
}
}
export interface Enrolled {
id: string
personId: string
tenantId: string
/**
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
method: ("password" | "recovery" | "passkey" | "sso")
startedAt: string
/**
 * When a second factor was last shown.
 */
mfaAt: string
endsAt: string
/**
 * When it ends unless it is used before.
 */
idleEndsAt: string
token?: string
/**
 * Each stands in once for a code; shown once.
 */
recoveryCodes: string[]
}
export interface SsoBeginningInput {
/**
 * The identity provider's issuer, as `lethe admin sso list` has it.
 */
issuer: string
/**
 * Have them show who they are anew, both factors.
 */
fresh?: boolean
/**
 * To enrol with this account, in place of a password.
 */
enrolmentToken?: string
/**
 * A program that listens on 127.0.0.1 (RFC 8252), and the S256 challenge of its verifier.
 */
loopback?: {
port: number
challenge: string
}
}
export interface SsoOffer {
url: string
}
export interface ComeBackFromSsoParams {
id: string
}
export interface ComeBackFromSsoQuery {
state?: string
iss?: string
error?: string
code?: string
}
export interface SsoCompletionInput {
code: string
verifier: string
}
export interface CreateMessageQuery {
dryRun?: ("true" | "false")
}
export interface MessageRequestInput {
/**
 * Recipient, E.164.
 */
to: string
/**
 * Or a template.
 */
body?: string
/**
 * A template's id; its variables come in `variables`.
 */
template?: string
variables?: {
[k: string]: string
}
/**
 * Put look-alikes of the GSM 7-bit alphabet in the place of other characters, where the text then fits it.
 */
substitute?: boolean
/**
 * End the text in a tag by which `/v1/messages/check` tells that it is the tenant's: 13 characters more.
 */
tag?: boolean
/**
 * Has the receipt of sending commit to number and text by it. Yours to keep: it is kept nowhere here.
 */
commitmentSalt?: string
category: ("otp" | "transactional" | "marketing" | "health")
/**
 * @maxItems 30
 */
dataClasses?: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")[]
deliver?: ("auto" | "sms" | "secure_link" | "e2ee")
/**
 * Of a secure link: its recipient has it from another channel than this SMS. It is stored nowhere, and asked for on the page.
 */
pin?: string
/**
 * From sendAt, or from acceptance; then it expires unsent.
 */
validFor?: string
sendAt?: string
/**
 * One of the tenant's senders.
 */
sender?: string
/**
 * An opaque token of the caller's.
 */
clientReference?: string
/**
 * Id of the endpoint that is told of it; the tenant's default ones unless told.
 */
webhook?: string
consent?: {
type?: ("none" | "implied" | "soft_opt_in" | "express" | "express_written")
obtainedAt?: string
/**
 * @maxItems 16
 */
purposes?: string[]
evidence?: (boolean | string)
source?: string
ground?: string
withdrawnAt?: (string | null)
}
lawfulBasis?: string
recipientRegion?: string
/**
 * The recipient's, IANA.
 */
timezone?: string
subjectResidence?: string
optedOut?: ("none" | "marketing" | "all")
context?: {
art9Condition?: string
gdprScope?: (boolean | string)
autodialed?: boolean
tcpaBasis?: string
freeToEndUser?: boolean
softOptIn?: {
collectedInSale?: boolean
ownSimilarProducts?: boolean
optOutOfferedAtCollection?: boolean
optOutInMessage?: boolean
}
hipaaCoveredEntity?: boolean
hipaaAuthorization?: (boolean | string)
patientPreference?: {
channel?: string
warnedAt?: string
evidence?: (boolean | string)
}
retentionDisclosure?: boolean
necessaryForRequestedService?: boolean
otpDigits?: number
}
}
export interface AcceptedMessage {
id: string
submissionId: string
state: State
decision: Decision
expiresAt: string
links: {
self: string
}
}
export interface Decision {
allowed: boolean
reasons: string[]
deferUntilLocal?: string
deferUntilUtc?: string
deliveryMode?: ("sms" | "secure_link" | "e2ee")
contentRetentionMax?: string
recordRetentionMin?: string
recordRetentionMax?: string
purgeContentWithin?: string
ackBy?: string
respondBy?: string
honorBy?: string
backupPurgeBy?: string
notBefore?: string
certificateNotBefore?: string
confirmationWithin?: string
maxConfirmations?: number
citations: string[]
packs: {
id: string
version: string
}[]
rules: string[]
}
export interface DryRun {
decision: Decision
/**
 * The tenant's own limits against misuse.
 */
abuse: AbuseVerdict[]
/**
 * The code by which it is refused though the policies allow it: it can't go as they say.
 */
refusal?: ("link_host_missing" | "pin_required" | "recipient_key_missing" | "card_number" | "validity_too_long")
/**
 * Absent where none serves it.
 */
sendQueue?: string
/**
 * The send queue that it would take now, and what a segment costs there.
 */
route?: {
sendQueue: string
carrier: string
sender: string
/**
 * Absent where the send queue has none for that country.
 */
segmentPrice?: number
}
encoding: ("gsm7" | "ucs2")
segments: number
/**
 * Septets or UTF-16 code units.
 */
units: number
/**
 * Where it was asked for: how many characters were, and what the text would have cost.
 */
substituted?: {
characters: number
before: {
encoding: ("gsm7" | "ucs2")
segments: number
/**
 * Septets or UTF-16 code units.
 */
units: number
}
}
}
export interface AbuseVerdict {
check: ("destination" | "velocity" | "budget")
/**
 * `noted`: it would have been refused, were the check not only watching.
 */
verdict: ("passed" | "noted" | "refused")
reason?: ("DESTINATION_NOT_ALLOWED" | "PREFIX_VELOCITY" | "BUDGET_EXHAUSTED" | "PRICE_UNKNOWN")
country: string
unit?: ("segments" | "cost")
period?: ("day" | "month")
/**
 * The budget is that of all countries together.
 */
everywhere?: boolean
windowSeconds?: number
limit?: number
/**
 * With this message.
 */
seen?: number
}
export interface ListMessagesQuery {
cursor?: string
limit?: number
state?: StateInput
category?: ("otp" | "transactional" | "marketing" | "health")
from?: string
to?: string
inDoubt?: "true"
}
export interface MessagePage {
items: Message[]
/**
 * The next page's cursor.
 */
next?: string
}
export interface Message {
id: string
/**
 * Names its run in Temporal, too.
 */
submissionId: string
/**
 * It came alone, and that run may drive others that did, too.
 */
sharesRun?: true
state: State
category: ("otp" | "transactional" | "marketing" | "health")
dataClasses: string[]
deliveryMode: ("sms" | "secure_link" | "e2ee")
country: string
/**
 * Where it waits, or was last.
 */
sendQueue: string
sender?: string
clientReference?: string
template?: string
recipientKey?: string
/**
 * Endpoints that are told of it.
 */
webhooks?: string[]
acceptedAt: string
stateAt: string
releaseAt?: string
expiresAt: string
/**
 * Until then a receipt is waited for.
 */
closesAt: string
held: boolean
/**
 * Of a secure link: whether it was opened.
 */
link?: {
/**
 * `closed`: too many wrong PINs; `claimed`: one page holds it; `read`: it let go.
 */
state: ("open" | "claimed" | "read" | "closed" | "expired" | "erased" | "withheld")
expiresAt: string
hasPin: boolean
wrongPins: number
openedAt?: string
readAt?: string
closedAt?: string
}
decision: Decision
/**
 * Checks that only watched, and what they saw.
 */
abuse?: AbuseVerdict[]
attempts: {
number: number
/**
 * `open`, or the outcome.
 */
state: string
startedAt: string
endedAt?: string
code?: string
sendQueue?: string
segments?: number
}[]
/**
 * Moves to another send queue, after the one before surely had not sent it.
 */
reroutes?: {
at: string
from: string
to: string
code: string
decision: Decision
}[]
receipts: {
attempt: number
state: string
at: string
receivedAt: string
code?: string
/**
 * `applied` moved the state; the others changed nothing.
 */
effect: string
}[]
retention: {
content?: {
eraseBy: string
erasedAt?: string
verifiedAt?: string
/**
 * The certificate of the purge that erased it; it is there once that was read back.
 */
certificateId?: string
}
address?: {
eraseBy: string
erasedAt?: string
verifiedAt?: string
/**
 * The certificate of the purge that erased it; it is there once that was read back.
 */
certificateId?: string
}
receipt?: {
eraseBy: string
erasedAt?: string
verifiedAt?: string
/**
 * The certificate of the purge that erased it; it is there once that was read back.
 */
certificateId?: string
}
decisionRecord?: {
eraseBy: string
erasedAt?: string
verifiedAt?: string
/**
 * The certificate of the purge that erased it; it is there once that was read back.
 */
certificateId?: string
}
}
evidence: {
at: string
type: string
code?: string
attempt?: number
}[]
certificates: string[]
links: {
self: string
}
}
export interface GetMessageParams {
id: string
}
export interface CancelMessageParams {
id: string
}
export interface RevealMessageParams {
id: string
}
export interface RevealRequestInput {
/**
 * What for, in a word; it stands in the evidence log for good.
 */
purpose: string
/**
 * Where that is recorded, such as `case-4711`. Of what a hold keeps from use: that hold's `reason`.
 */
ticket: string
}
export interface RevealedMessage {
id: string
/**
 * Absent once it was erased.
 */
number?: string
/**
 * Absent of a secure link, which its recipient alone can decrypt.
 */
text?: string
}
export interface SearchMessagesQuery {
cursor?: string
limit?: number
}
export interface NumberSearchInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
}
export interface BatchRequestInput {
/**
 * Or a template.
 */
body?: string
/**
 * A template's id; its variables come in `variables`.
 */
template?: string
variables?: {
[k: string]: string
}
/**
 * Put look-alikes of the GSM 7-bit alphabet in the place of other characters, where the text then fits it.
 */
substitute?: boolean
/**
 * End the text in a tag by which `/v1/messages/check` tells that it is the tenant's: 13 characters more.
 */
tag?: boolean
/**
 * Has the receipt of sending commit to number and text by it. Yours to keep: it is kept nowhere here.
 */
commitmentSalt?: string
category?: ("otp" | "transactional" | "marketing" | "health")
/**
 * @maxItems 30
 */
dataClasses?: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")[]
deliver?: ("auto" | "sms" | "secure_link" | "e2ee")
/**
 * From sendAt, or from acceptance; then it expires unsent.
 */
validFor?: string
sendAt?: string
/**
 * One of the tenant's senders.
 */
sender?: string
/**
 * Id of the endpoint that is told of it; the tenant's default ones unless told.
 */
webhook?: string
consent?: {
type?: ("none" | "implied" | "soft_opt_in" | "express" | "express_written")
obtainedAt?: string
/**
 * @maxItems 16
 */
purposes?: string[]
evidence?: (boolean | string)
source?: string
ground?: string
withdrawnAt?: (string | null)
}
lawfulBasis?: string
recipientRegion?: string
/**
 * The recipient's, IANA.
 */
timezone?: string
subjectResidence?: string
optedOut?: ("none" | "marketing" | "all")
context?: {
art9Condition?: string
gdprScope?: (boolean | string)
autodialed?: boolean
tcpaBasis?: string
freeToEndUser?: boolean
softOptIn?: {
collectedInSale?: boolean
ownSimilarProducts?: boolean
optOutOfferedAtCollection?: boolean
optOutInMessage?: boolean
}
hipaaCoveredEntity?: boolean
hipaaAuthorization?: (boolean | string)
patientPreference?: {
channel?: string
warnedAt?: string
evidence?: (boolean | string)
}
retentionDisclosure?: boolean
necessaryForRequestedService?: boolean
otpDigits?: number
}
/**
 * One a recipient; what stands here goes before what is shared.
 * 
 * @minItems 1
 * @maxItems 500
 */
messages: BatchMessageInput[]
}
export interface BatchMessageInput {
/**
 * Recipient, E.164.
 */
to: string
/**
 * Or a template.
 */
body?: string
/**
 * A template's id; its variables come in `variables`.
 */
template?: string
variables?: {
[k: string]: string
}
/**
 * Put look-alikes of the GSM 7-bit alphabet in the place of other characters, where the text then fits it.
 */
substitute?: boolean
/**
 * End the text in a tag by which `/v1/messages/check` tells that it is the tenant's: 13 characters more.
 */
tag?: boolean
/**
 * Has the receipt of sending commit to number and text by it. Yours to keep: it is kept nowhere here.
 */
commitmentSalt?: string
category?: ("otp" | "transactional" | "marketing" | "health")
/**
 * @maxItems 30
 */
dataClasses?: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")[]
deliver?: ("auto" | "sms" | "secure_link" | "e2ee")
/**
 * Of a secure link: its recipient has it from another channel than this SMS. It is stored nowhere, and asked for on the page.
 */
pin?: string
/**
 * From sendAt, or from acceptance; then it expires unsent.
 */
validFor?: string
sendAt?: string
/**
 * One of the tenant's senders.
 */
sender?: string
/**
 * An opaque token of the caller's.
 */
clientReference?: string
/**
 * Id of the endpoint that is told of it; the tenant's default ones unless told.
 */
webhook?: string
consent?: {
type?: ("none" | "implied" | "soft_opt_in" | "express" | "express_written")
obtainedAt?: string
/**
 * @maxItems 16
 */
purposes?: string[]
evidence?: (boolean | string)
source?: string
ground?: string
withdrawnAt?: (string | null)
}
lawfulBasis?: string
recipientRegion?: string
/**
 * The recipient's, IANA.
 */
timezone?: string
subjectResidence?: string
optedOut?: ("none" | "marketing" | "all")
context?: {
art9Condition?: string
gdprScope?: (boolean | string)
autodialed?: boolean
tcpaBasis?: string
freeToEndUser?: boolean
softOptIn?: {
collectedInSale?: boolean
ownSimilarProducts?: boolean
optOutOfferedAtCollection?: boolean
optOutInMessage?: boolean
}
hipaaCoveredEntity?: boolean
hipaaAuthorization?: (boolean | string)
patientPreference?: {
channel?: string
warnedAt?: string
evidence?: (boolean | string)
}
retentionDisclosure?: boolean
necessaryForRequestedService?: boolean
otpDigits?: number
}
}
export interface AcceptedBatch {
id: string
accepted: number
refused: number
items: {
/**
 * Its place in the request, from 0.
 */
index: number
id?: string
state?: State
expiresAt?: string
/**
 * Why it was refused; pointers are within the message.
 */
error?: {
code: string
title: string
/**
 * Whether it may be accepted later, sent again by itself.
 */
retryable: boolean
errors?: {
pointer: string
detail: string
}[]
reasons?: string[]
[k: string]: unknown
}
}[]
}
export interface GetBatchParams {
id: string
}
export interface Batch {
id: string
accepted: number
refused: number
/**
 * How many messages are in each state.
 */
states: {
[k: string]: number
}
items: {
/**
 * Its place in the request, from 0.
 */
index: number
id?: string
state?: State
expiresAt?: string
/**
 * Why it was refused; pointers are within the message.
 */
error?: {
code: string
title: string
/**
 * Whether it may be accepted later, sent again by itself.
 */
retryable: boolean
errors?: {
pointer: string
detail: string
}[]
reasons?: string[]
[k: string]: unknown
}
}[]
/**
 * Messages of it whose records can't be read, by id: each is counted, and in no item. As long as there are any, what was refused may not all be told.
 */
unreadable?: string[]
}
export interface TextCheckInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
/**
 * As it was read, its tag included; blanks and line breaks may differ.
 */
text: string
}
export interface TextVerdict {
authentic: boolean
}
export interface ExplainDecisionParams {
id: string
}
export interface DecisionExplanation {
messageId: string
judgedAt: string
allowed: boolean
reasons: {
code: string
means: string
}[]
/**
 * `monitor`: limits of the tenant's own that only watch would have refused it. Policies never only watch.
 */
mode: ("enforced" | "monitor")
/**
 * Why those limits would have.
 */
noted: {
code: string
means: string
}[]
/**
 * That it was rejected after it had been accepted: the rule, where a policy did. All else is said of the acceptance.
 */
rejected?: {
at: string
code?: string
rule?: RuleWords
}
decisive?: RuleWords
others: RuleWords[]
releaseUtc?: string
releaseLocal?: string
deliveryMode?: string
/**
 * A hold keeps all of it, beyond the dates of `retention` too.
 */
held: boolean
retention: {
object: string
eraseBy: string
atFinal: boolean
erasedAt?: string
min?: {
duration: (string | null)
words: string
rule: string
citations: string[]
}
max?: {
duration: (string | null)
words: string
rule: string
citations: string[]
}
}[]
packs: {
id: string
version: string
title?: string
sha256?: string
origin?: ("shipped" | "published")
effectiveFrom?: string
proposalId?: string
approval?: {
/**
 * Told to tenants that govern policies.
 */
by?: string
at: string
/**
 * Whether a person signed in to give it.
 */
verified: boolean
note?: string
}
}[]
retimings: {
at: string
from: {
id: string
version: string
}[]
to: {
id: string
version: string
}[]
effects: string[]
allowed?: boolean
}[]
replay: {
agrees: boolean
missing: {
id: string
version: string
}[]
differences: string[]
}
}
export interface RuleWords {
rule: string
version: string
says: string
when: string
/**
 * The same for a line: of more than five values their number and the first three.
 */
whenBriefly: string
citations: string[]
basis?: string
confidence?: string
verifiedOn?: string
note?: string
}
export interface GetSendingReceiptParams {
id: string
}
export interface SendingReceipt {
messageId: string
jws: string
}
export interface TemplateRequestInput {
name: string
/**
 * With `{{name}}` where a variable goes. It is configuration: nothing of a recipient in it.
 */
text: string
/**
 * The only one that it may be used for.
 */
category?: ("otp" | "transactional" | "marketing" | "health")
variables?: {
[k: string]: {
/**
 * What kind of data it is; the policies judge the message by it.
 */
dataClass: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")
charactersMax: number
}
}
}
export interface Template {
id: string
name: string
/**
 * With `{{name}}` where a variable goes. It is configuration: nothing of a recipient in it.
 */
text: string
/**
 * The only one that it may be used for.
 */
category?: ("otp" | "transactional" | "marketing" | "health")
variables: {
[k: string]: {
/**
 * What kind of data it is; the policies judge the message by it.
 */
dataClass: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")
charactersMax: number
}
}
createdAt: string
createdBy: string
retiredAt?: string
}
export interface ListTemplatesQuery {
cursor?: string
limit?: number
}
export interface TemplatePage {
items: Template[]
next?: string
}
export interface RetireTemplateParams {
id: string
}
export interface GetTemplateParams {
id: string
}
export interface PolicyList {
items: PolicyVersion[]
retiming?: Retiming
}
export interface PolicyVersion {
pack: string
version: string
title: string
sha256: string
state: ("past" | "in_force" | "coming")
effectiveFrom: string
origin: ("shipped" | "published")
proposalId?: string
approval?: {
/**
 * Told to tenants that govern policies.
 */
by?: string
at: string
/**
 * Whether a person signed in to give it.
 */
verified: boolean
note?: string
}
links: {
text: string
}
}
export interface Retiming {
state: ("running" | "done" | "superseded")
inForceFrom: string
startedAt: string
endedAt?: string
total: number
/**
 * Messages by what happened to them; `messages` is how many were looked at.
 */
counts: {
[k: string]: number
}
}
export interface GetPolicyParams {
pack: string
version: string
}
export interface PolicyProposalDetail {
id: string
pack: string
version: string
/**
 * The version in force when it was proposed.
 */
base?: string
why: string
state: ("draft" | "checked" | "simulated" | "approved" | "published" | "withdrawn")
sha256: string
createdBy: string
createdAt: string
check?: {
at: string
cases: number
}
simulation?: {
state: ("running" | "done")
by: string
startedAt: string
endedAt?: string
asOf: string
/**
 * SHA-256 over all versions that it was compared with.
 */
base: string
total: number
counts: {
[k: string]: number
}
/**
 * Ids of some of the messages.
 */
samples: {
[k: string]: string[]
}
}
approval?: {
/**
 * Told to tenants that govern policies.
 */
by?: string
at: string
/**
 * Whether a person signed in to give it.
 */
verified: boolean
note?: string
}
/**
 * Once published: from then on it is in force.
 */
effectiveFrom?: string
history: {
state: ("draft" | "checked" | "simulated" | "approved" | "published" | "withdrawn")
at: string
by: string
}[]
links: {
self: string
}
text: string
changes: {
rule: string
what: string
before?: string
after?: string
sentence: string
}[]
}
export interface ListPolicyProposalsQuery {
state?: ("draft" | "checked" | "simulated" | "approved" | "published" | "withdrawn")
cursor?: string
limit?: number
}
export interface PolicyProposalPage {
items: PolicyProposal[]
next?: string
}
export interface PolicyProposal {
id: string
pack: string
version: string
/**
 * The version in force when it was proposed.
 */
base?: string
why: string
state: ("draft" | "checked" | "simulated" | "approved" | "published" | "withdrawn")
sha256: string
createdBy: string
createdAt: string
check?: {
at: string
cases: number
}
simulation?: {
state: ("running" | "done")
by: string
startedAt: string
endedAt?: string
asOf: string
/**
 * SHA-256 over all versions that it was compared with.
 */
base: string
total: number
counts: {
[k: string]: number
}
/**
 * Ids of some of the messages.
 */
samples: {
[k: string]: string[]
}
}
approval?: {
/**
 * Told to tenants that govern policies.
 */
by?: string
at: string
/**
 * Whether a person signed in to give it.
 */
verified: boolean
note?: string
}
/**
 * Once published: from then on it is in force.
 */
effectiveFrom?: string
history: {
state: ("draft" | "checked" | "simulated" | "approved" | "published" | "withdrawn")
at: string
by: string
}[]
links: {
self: string
}
}
export interface GetPolicyProposalParams {
id: string
}
export interface CheckPolicyProposalParams {
id: string
}
export interface SimulatePolicyProposalParams {
id: string
}
export interface ApprovePolicyProposalParams {
id: string
}
export interface PublishPolicyProposalParams {
id: string
}
export interface WithdrawPolicyProposalParams {
id: string
}
export interface GetCertificateParams {
id: string
}
export interface Certificate {
id: string
kind: ("submission" | "purge" | "record" | "request" | "tenant")
issuedAt: string
/**
 * JWS in compact form (RFC 7515): all that is signed. The fields beside it are read from its payload.
 */
jws: string
}
export interface ListCertificatesQuery {
cursor?: string
limit?: number
about: string
}
export interface CertificatePage {
items: Certificate[]
next?: string
}
export interface ConsentsFound {
items: ConsentFound[]
/**
 * When the number opted in to marketing again after a consent on record: that counts as an express one, and what a caller states of before as express at most.
 */
optedInAt?: string
/**
 * What the number is blocked from, whatever it agreed to.
 */
optedOut: ("none" | "marketing" | "all")
}
export interface ConsentFound {
id: string
type: ("implied" | "soft_opt_in" | "express" | "express_written")
purposes: string[]
obtainedAt: string
wording: string
evidence: string
source?: string
ground?: string
/**
 * Of the recipient, by the number. It says which packs set how long the record stays.
 */
country?: string
region?: string
recordedAt: string
recordedBy: string
/**
 * An express one stays beyond that while it is in effect, and as long after as a law wants its proof.
 */
eraseBy?: string
withdrawn?: {
at: string
by: string
source: ("keyword" | "api" | "replaced" | "erasure" | "rejected")
evidence?: string
}
/**
 * Of its purposes those that it still counts for: an opt-out from marketing, or the withdrawal of any consent to a purpose, ends all that were given before; and where the number is, a policy may have it end some time after it was given.
 */
inEffectFor: string[]
}
export interface ListConsentsQuery {
cursor?: string
limit?: number
}
export interface ConsentPage {
items: Consent[]
next?: string
}
export interface Consent {
id: string
type: ("implied" | "soft_opt_in" | "express" | "express_written")
purposes: string[]
obtainedAt: string
wording: string
evidence: string
source?: string
ground?: string
/**
 * Of the recipient, by the number. It says which packs set how long the record stays.
 */
country?: string
region?: string
recordedAt: string
recordedBy: string
/**
 * An express one stays beyond that while it is in effect, and as long after as a law wants its proof.
 */
eraseBy?: string
withdrawn?: {
at: string
by: string
source: ("keyword" | "api" | "replaced" | "erasure" | "rejected")
evidence?: string
}
}
export interface ConsentRequestInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
type: ("implied" | "soft_opt_in" | "express" | "express_written")
/**
 * @minItems 1
 * @maxItems 16
 */
purposes: string[]
obtainedAt: string
/**
 * Reference and version of the wording agreed to; never the text.
 */
wording: string
/**
 * Where the proof is kept.
 */
evidence: string
source?: string
ground?: string
}
export interface GetConsentParams {
id: string
}
export interface WithdrawConsentParams {
id: string
}
export interface WithdrawalRequestInput {
withdrawnAt?: string
evidence?: string
}
export interface OptOutRequestInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
/**
 * `none`, as lists say it, lifts nothing.
 */
scope: ("none" | "marketing" | "all")
source?: ("api" | "import")
/**
 * When the recipient opted out; now unless told.
 */
at?: string
}
/**
 * What the caller knows of a number; `searchOptOuts` tells what else is.
 * 
 */
export interface RecordedOptOut {
/**
 * What is blocked at the least; absent after `none`, which neither blocks nor tells.
 */
optedOut?: ("none" | "marketing" | "all")
/**
 * The opt-out, where the caller has recorded it, now or before, and may search.
 */
items: OptOut[]
}
export interface OptOut {
id: string
scope: ("marketing" | "all")
source: ("keyword" | "api" | "import")
at: string
/**
 * Of the recipient, by the number. It says which packs set how long the record stays.
 */
country?: string
region?: string
recordedAt: string
recordedBy: string
/**
 * The law's latest date; Lethe stops at once.
 */
honorBy?: string
eraseBy?: string
lifted?: {
at: string
by: string
source: ("keyword" | "api" | "replaced" | "erasure" | "rejected")
evidence?: string
}
}
export interface ListOptOutsQuery {
cursor?: string
limit?: number
}
export interface OptOutPage {
items: OptOut[]
next?: string
}
export interface LiftOptOutParams {
id: string
}
export interface LiftRequestInput {
/**
 * When the recipient opted in again: after the opt-out.
 */
obtainedAt: string
/**
 * Where the proof of it is kept.
 */
evidence: string
}
/**
 * What opt-outs block of a number now, and all that are on record of it.
 * 
 */
export interface OptedOut {
optedOut: ("none" | "marketing" | "all")
items: OptOut[]
}
export interface RecipientKeyChallengeRequestInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
/**
 * An X25519 public key (RFC 8037); never its private half.
 */
key: {
kty: "OKP"
crv: "X25519"
x: string
d?: unknown
[k: string]: unknown
}
/**
 * How texts are encrypted to it: `lethe2` says who wrote them, expires, and hides how long they are.
 */
version?: ("lethe1" | "lethe2")
}
export interface RecipientKeyChallenge {
id: string
/**
 * A `lethe1` text: what it decrypts to is the answer.
 */
challenge: string
expiresAt: string
senderKeys?: SenderKeys
}
/**
 * By which a recipient tells who wrote a `lethe2` text, the newest first.
 * 
 */
export interface SenderKeys {
keys: {
kty: "OKP"
crv: "X25519"
x: string
}[]
}
export interface RecipientKeyRequestInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
/**
 * An X25519 public key (RFC 8037); never its private half.
 */
key: {
kty: "OKP"
crv: "X25519"
x: string
d?: unknown
[k: string]: unknown
}
/**
 * How texts are encrypted to it: `lethe2` says who wrote them, expires, and hides how long they are.
 */
version?: ("lethe1" | "lethe2")
/**
 * What the challenge decrypted to.
 */
answer: string
}
export interface RecipientKey {
id: string
key: {
kty: "OKP"
crv: "X25519"
x: string
}
version: ("lethe1" | "lethe2")
registeredAt: string
registeredBy: string
eraseBy?: string
ended?: {
at: string
by: string
source: ("keyword" | "api" | "replaced" | "erasure" | "rejected")
evidence?: string
}
}
export interface ListRecipientKeysQuery {
cursor?: string
limit?: number
}
export interface RecipientKeyPage {
items: RecipientKey[]
next?: string
}
export interface RevokeRecipientKeyParams {
id: string
}
export interface GetRecipientKeyParams {
id: string
}
export interface ListHoldsQuery {
cursor?: string
limit?: number
}
export interface HoldPage {
items: Hold[]
next?: string
}
export interface Hold {
id: string
scope: ("message" | "subject" | "period" | "tenant")
messageId?: string
from?: string
to?: string
ground: string
reason?: string
/**
 * Who is named as its approver.
 */
approvedBy?: string
/**
 * When they approved it themselves; until then it waits.
 */
approvedAt?: string
reviewAt?: string
/**
 * Of a period or tenant: from then on each message bears it. Nothing is purged before.
 */
appliedAt?: string
placedAt: string
placedBy: string
released?: {
at: string
by: string
source: ("keyword" | "api" | "replaced" | "erasure" | "rejected")
evidence?: string
}
}
export interface ReleaseHoldParams {
id: string
}
export interface ApproveHoldParams {
id: string
}
export interface RejectHoldParams {
id: string
}
export interface RecordSubjectRequestInput {
/**
 * The recipient's, E.164. It is answered nowhere and never part of an address.
 */
number: string
kind: ("access" | "portability" | "correction" | "erasure" | "restriction" | "objection")
/**
 * How it came: email, letter, web_form, phone.
 */
channel?: string
/**
 * The clocks run from then; now unless told.
 */
receivedAt?: string
/**
 * Your own, opaque.
 */
reference?: string
subjectResidence?: string
recipientRegion?: string
/**
 * @maxItems 30
 */
dataClasses?: ("contact" | "otp_secret" | "identity" | "account" | "order" | "appointment" | "usage" | "financial" | "payment" | "pan" | "location" | "precise_geolocation" | "government_id" | "children" | "criminal" | "message_contents" | "sensitive_pi" | "health" | "phi" | "consumer_health" | "reproductive_health" | "genetic" | "biometric" | "ethnicity" | "religion" | "political_opinion" | "trade_union" | "sex_life" | "sexual_orientation" | "special_category")[]
/**
 * The duty or claim that speaks against it, in a word.
 */
ground?: string
/**
 * Whether the sender answers as a covered entity under HIPAA, or for one.
 */
hipaaCoveredEntity?: boolean
/**
 * What it blocks: an objection marketing, an erasure everything, unless told.
 */
scope?: ("marketing" | "all")
}
export interface SubjectRequest {
id: string
kind: ("access" | "portability" | "correction" | "erasure" | "restriction" | "objection")
state: ("received" | "executing" | "deciding" | "ready" | "closed")
channel: string
receivedAt: string
recordedAt: string
recordedBy: string
reference?: string
scope?: ("marketing" | "all")
decision: Decision
clocks: {
ackBy?: string
acknowledgedAt?: string
/**
 * Absent where no pack here sets a date, which is not to say that no law does.
 */
respondBy?: string
extendableTo?: string
extendedTo?: string
extensionToldAt?: string
}
identity?: {
confirmed: boolean
checkedBy: string
checkedAt: string
method: string
evidence: string
ownedFrom: string
ownedUntil?: string
}
tasks: {
name: string
reasons: string[]
citations: string[]
messageIds: string[]
raisedAt: string
decided?: {
at: string
by: string
verdict: ("erase" | "keep" | "done" | "refuse")
ground: string
}
}[]
alerts: {
code: ("acknowledge_soon" | "acknowledge_late" | "answer_soon" | "answer_late" | "decision_due")
at: string
}[]
erasure?: {
startedAt: string
step: ("erase" | "settle" | "certify" | "done")
/**
 * Objects read back and found gone.
 */
erasedCount: number
keptCount: number
kept: {
object: string
reason: string
citations: string[]
count: number
/**
 * When the last of it goes.
 */
until?: string
}[]
/**
 * When what is kept is looked at again.
 */
recheckAt?: string
}
/**
 * The hold that restricts; its release lifts the restriction.
 */
holdId?: string
optOutId?: string
/**
 * The last one tells all.
 */
certificates: string[]
exports: {
id: string
at: string
by: string
format: string
report: string
purpose: string
}[]
log: {
at: string
type: string
by?: string
code?: string
}[]
closed?: {
at: string
by: string
outcome: ("granted" | "partly_granted" | "refused" | "withdrawn")
ground?: string
}
eraseBy?: string
links: {
self: string
}
}
export interface ListSubjectRequestsQuery {
cursor?: string
limit?: number
}
export interface SubjectRequestPage {
items: SubjectRequest[]
next?: string
}
export interface GetSubjectRequestParams {
id: string
}
export interface AcknowledgeSubjectRequestParams {
id: string
}
export interface IdentitySubjectRequestParams {
id: string
}
export interface IdentityCheckInput {
confirmed: boolean
/**
 * How it was checked: id_document, account_login, call_back.
 */
method: string
/**
 * Where the proof is kept.
 */
evidence: string
/**
 * Since when the number was theirs: earlier messages may be another's.
 */
ownedFrom: string
/**
 * Until when; left out while it still is.
 */
ownedUntil?: string
}
export interface DecideSubjectRequestParams {
id: string
}
export interface TaskDecisionInput {
task: string
verdict: ("erase" | "keep" | "done" | "refuse")
ground: string
}
export interface ExtendSubjectRequestParams {
id: string
}
export interface RequestExtensionInput {
to: string
reason: string
/**
 * When the person was told that it takes longer, and why.
 */
toldAt: string
}
export interface CloseSubjectRequestParams {
id: string
}
export interface RequestAnswerInput {
outcome: ("granted" | "partly_granted" | "refused" | "withdrawn")
ground?: string
}
export interface ExportSubjectRequestParams {
id: string
}
export interface RequestExportInput {
format?: ("json" | "html")
/**
 * `disclosures`: of health data within six years, 45 CFR 164.528.
 */
report?: ("data" | "disclosures")
/**
 * What for, in a word; it stands in the evidence log for good.
 */
purpose: string
}
export interface ExportSubjectRequestAnswer {
[k: string]: unknown
}
export interface GetRequestLogQuery {
from?: string
to?: string
format?: ("json" | "html")
}
export interface GetRequestLogAnswer {
[k: string]: unknown
}
export interface GetProcessingRecordQuery {
format?: ("json" | "html")
}
export interface GetProcessingRecordAnswer {
[k: string]: unknown
}
export interface SendQueues {
items: SendQueue[]
}
export interface SendQueue {
id: string
carrier: string
sender: string
/**
 * `draining`: sends what it has, and takes nothing new.
 */
state: ("open" | "draining" | "paused")
/**
 * The tenant may use it. False of one that no tenant may as yet: who governs sees those, too.
 */
routed: boolean
/**
 * Paused or draining, it hands what waits to other queues where it may.
 */
movesWaiting: boolean
countries?: string[]
categories?: ("otp" | "transactional" | "marketing" | "health")[]
region?: string
/**
 * An agreement is named, so that it may take PHI.
 */
baa: boolean
/**
 * Its carrier fails at present, so that others go before it, or the last attempt found its credentials lacking or refused. Absent while Redis does not answer.
 */
failing?: boolean
/**
 * Why it fails, where that is known.
 */
failure?: {
/**
 * Of the last attempt, as in a message's attempts.
 */
code: string
/**
 * No attempt has been well since.
 */
since: string
}
countryRates?: {
/**
 * Segments a second.
 */
[k: string]: number
}
/**
 * Other tenants use it too: of what waits the tenant's own is told alone, and neither `live` nor prices and registrations, which who governs sees.
 */
shared?: boolean
/**
 * Of a segment, by country, or `*` for those that have none of their own.
 */
prices?: {
[k: string]: number
}
/**
 * The sender's in the countries' registries; without one it counts as unregistered there, in the United States once any is named. India's is `entity:header:template`.
 */
registrations?: {
[k: string]: string
}
/**
 * Segments; absent where the deployment's default holds.
 */
limitPerSecond?: number
/**
 * Messages that wait in the store, what a queue holds for its next two seconds among them; 10000 means so many or more, for none beyond are counted.
 */
backlog: number
/**
 * Absent while Redis does not answer, and where the queue is `shared`.
 */
live?: {
waiting: number
delayed: number
active: number
/**
 * Sent, over the last five full seconds.
 */
segmentsPerSecond: number
/**
 * Processes that work it; a new queue has them within seconds.
 */
senders: number
}
}
export interface PauseQueueParams {
id: string
}
export interface ResumeQueueParams {
id: string
}
export interface DrainQueueParams {
id: string
}
export interface SetQueueParams {
id: string
}
export interface SendQueueSettingsInput {
limitPerSecond?: (number | null)
countryRates?: ({
/**
 * Segments a second.
 */
[k: string]: number
} | null)
prices?: ({
[k: string]: number
} | null)
registrations?: ({
[k: string]: string
} | null)
}
export interface Alerts {
items: Alert[]
}
export interface Alert {
code: ("purge_late" | "message_unreadable" | "ledger_late" | "evidence_not_as_witnessed" | "evidence_unpublished" | "evidence_unintegrated" | "tls_certificate_expired" | "tls_certificate_expiring" | "server_away" | "policies_unavailable" | "hold_unapproved" | "hold_review_due" | "request_late" | "request_due" | "request_decision_due" | "key_overdue" | "key_version_unneeded" | "receipts_parked" | "redactions_late" | "worker_absent" | "sender_absent" | "queue_unusable" | "carrier_failing" | "credential_suspect" | "webhook_endpoint_failed" | "queue_paused" | "queue_draining" | "webhook_endpoint_disabled" | "not_looked_at")
severity: ("critical" | "warning" | "info")
/**
 * A name, or an opaque id.
 */
about?: string
/**
 * Why, a code of ours, where there is more than one.
 */
reason?: string
/**
 * Absent where that is not known.
 */
since?: string
mend: string
}
export interface NewApiKeyInput {
/**
 * What people call it.
 */
name: string
/**
 * What it may do. None approves: that is for people who sign in with MFA. Who gives it `compliance` has that role.
 * 
 * @minItems 1
 * @maxItems 5
 */
roles: ("sender" | "compliance" | "operator" | "auditor" | "admin")[]
/**
 * The only categories that it may send.
 * 
 * @minItems 1
 * @maxItems 4
 */
categories?: ("otp" | "transactional" | "marketing" | "health")[]
/**
 * The only networks that it may be used from, CIDR.
 * 
 * @minItems 1
 * @maxItems 64
 */
addresses?: string[]
expiresAt?: string
/**
 * What verifies the requests, the JWTs for tokens and the DPoP proofs that it signs.
 * 
 * @minItems 1
 * @maxItems 4
 */
publicKeys?: PublicKeyInput[]
/**
 * With the proof `certificate`: the only client certificates that its tokens are bound to, each by its thumbprint (`x5t#S256`: SHA-256 of its DER form, base64url); any that the listener's authority signed unless told.
 * 
 * @minItems 1
 * @maxItems 4
 */
certificates?: string[]
/**
 * `signature`: each request is signed too (RFC 9421). `dpop`, `certificate`: it is good for tokens only, bound to one of its `publicKeys` or to its client certificate.
 */
proof?: ("signature" | "dpop" | "certificate")
/**
 * It has no text that could leak: it signs.
 */
textless?: boolean
}
export interface IssuedApiKey {
id: string
name: string
state: ("active" | "expired" | "revoked")
roles: string[]
categories?: string[]
addresses?: string[]
createdAt: string
createdBy: string
/**
 * When its present text was made, if it is not the first.
 */
rotatedAt?: string
/**
 * Until when the text before still opens.
 */
overlapEndsAt?: string
publicKeys?: {
kty: string
[k: string]: unknown
}[]
certificates?: string[]
proof?: ("signature" | "dpop" | "certificate")
expiresAt?: string
revokedAt?: string
/**
 * To the minute.
 */
lastUsedAt?: string
/**
 * The key itself, shown this once.
 */
apiKey?: string
}
export interface ListApiKeysQuery {
cursor?: string
limit?: number
}
export interface ApiKeyPage {
items: ApiKey[]
next?: string
}
export interface ApiKey {
id: string
name: string
state: ("active" | "expired" | "revoked")
roles: string[]
categories?: string[]
addresses?: string[]
createdAt: string
createdBy: string
/**
 * When its present text was made, if it is not the first.
 */
rotatedAt?: string
/**
 * Until when the text before still opens.
 */
overlapEndsAt?: string
publicKeys?: {
kty: string
[k: string]: unknown
}[]
certificates?: string[]
proof?: ("signature" | "dpop" | "certificate")
expiresAt?: string
revokedAt?: string
/**
 * To the minute.
 */
lastUsedAt?: string
}
export interface GetApiKeyParams {
id: string
}
export interface RotateApiKeyParams {
id: string
}
export interface ApiKeyRotationInput {
/**
 * How long the text before goes on; `PT0S` ends it now.
 */
overlap?: string
}
export interface RevokeApiKeyParams {
id: string
}
export interface SendingLimits {
/**
 * Countries that it sends to, ISO 3166-1, or `*`. Nothing goes to any other.
 */
destinations: string[]
/**
 * Regions that its messages may be processed in.
 * 
 * @minItems 1
 * @maxItems 32
 */
regions?: string[]
/**
 * Segments a second.
 */
ratePerSecond?: number
countryRates?: {
/**
 * Segments a second.
 */
[k: string]: number
}
/**
 * Categories of which a message ends at once when the queue ahead outlasts its deadline.
 */
refuseHopeless?: ("otp" | "transactional" | "marketing" | "health")[]
/**
 * By country, or `*` for all together. Days of UTC.
 */
budgets?: {
[k: string]: {
day?: {
segments?: number
/**
 * In the currency of the send queues' prices.
 */
cost?: number
}
month?: {
segments?: number
/**
 * In the currency of the send queues' prices.
 */
cost?: number
}
}
}
velocity: {
messagesMax: number
windowSeconds: number
mode: ("monitor" | "enforce")
/**
 * What an operator lets pass, until when; null for good.
 */
exempt?: {
[k: string]: string | null
}
}
/**
 * Today and this month, as far as budgets count it.
 */
spent: {
/**
 * `*`: all together.
 */
country: string
day?: {
segments: number
cost: number
}
month: {
segments: number
cost: number
}
}[]
}
export interface SendingLimitsChangeInput {
/**
 * Countries that it sends to, ISO 3166-1, or `*`. Nothing goes to any other.
 * 
 * @maxItems 300
 */
destinations?: string[]
regions?: (string[] | null)
ratePerSecond?: (number | null)
countryRates?: ({
/**
 * Segments a second.
 */
[k: string]: number
} | null)
refuseHopeless?: (("otp" | "transactional" | "marketing" | "health")[] | null)
budgets?: ({
[k: string]: {
day?: {
segments?: number
/**
 * In the currency of the send queues' prices.
 */
cost?: number
}
month?: {
segments?: number
/**
 * In the currency of the send queues' prices.
 */
cost?: number
}
}
} | null)
velocity?: ({
messagesMax: number
windowSeconds: number
mode: ("monitor" | "enforce")
/**
 * What an operator lets pass, until when; null for good.
 */
exempt?: {
[k: string]: string | null
}
} | null)
}
export interface ProveEvidenceParams {
index: number
}
export interface InclusionProof {
schema: string
/**
 * A signed note.
 */
checkpoint: string
index: number
/**
 * Canonical JSON (RFC 8785), as hashed.
 */
entry: string
hashes: string[]
}
export interface ProveEvidenceGrowthQuery {
older: number
}
export interface GrowthProof {
checkpoint: string
older: number
hashes: string[]
}
export interface ExportEvidenceQuery {
from?: string
to?: string
since?: number
}
export interface ListEvidenceQuery {
cursor?: string
limit?: number
about?: string
}
export interface EvidencePage {
items: EvidenceEntry[]
next?: string
}
export interface EvidenceEntry {
index: number
id: string
at: string
tenantId?: string
type: ("accepted" | "deferred" | "queued" | "sending" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown" | "decided" | "released" | "rerouted" | "ambiguous" | "receipt" | "retimed" | "erased" | "kept" | "redaction_asked" | "redacted" | "redaction_given_up" | "certified" | "link_opened" | "link_read" | "link_refused" | "link_closed" | "process_started" | "stores_prepared" | "store_restored" | "tenant_created" | "tenant_changed" | "template_changed" | "tenant_suspended" | "tenant_resumed" | "tenant_leaving" | "tenant_exported" | "tenant_left" | "send_queue_changed" | "send_queue_paused" | "send_queue_drained" | "send_queue_resumed" | "send_queue_emptied" | "send_queue_removed" | "api_key_created" | "api_key_revoked" | "api_key_rotated" | "credential_alert" | "token_issued" | "issuer_trusted" | "issuer_removed" | "identity_provider_changed" | "identity_provider_removed" | "person_invited" | "person_enrolled" | "person_changed" | "person_ended" | "signed_in" | "sign_in_failed" | "session_ended" | "credential_added" | "credential_removed" | "message_revealed" | "webhook_endpoint_created" | "webhook_endpoint_challenged" | "webhook_endpoint_verified" | "webhook_endpoint_enabled" | "webhook_endpoint_disabled" | "webhook_endpoint_deleted" | "webhook_secret_rotated" | "webhook_replayed" | "verification_issued" | "verification_withheld" | "verification_approved" | "verification_failed" | "consent_recorded" | "consent_withdrawn" | "opt_out_recorded" | "opt_out_lifted" | "recipient_key_registered" | "recipient_key_revoked" | "hold_placed" | "hold_approved" | "hold_rejected" | "hold_released" | "request_recorded" | "request_acknowledged" | "request_identified" | "request_decided" | "request_extended" | "request_exported" | "request_closed" | "request_executed" | "record_erased" | "orphan_discarded" | "page_erased" | "key_rotated" | "key_version_ended" | "cohort_key_destroyed" | "subject_key_destroyed" | "policy_proposed" | "policy_checked" | "policy_simulated" | "policy_approved" | "policy_published" | "policy_withdrawn" | "record_read" | "searched" | "logs_read" | "canary_run" | "evidence_read" | "evidence_exported" | "evidence_succeeded" | "denied")
code?: string
/**
 * Id of what it was done to.
 */
about?: string
by?: string
attempt?: number
/**
 * The log whose successor this one is, and what its last checkpoint covers.
 */
predecessor?: {
origin: string
size: number
root: string
}
}
export interface VerificationRequestInput {
/**
 * Recipient, E.164.
 */
to: string
digits?: number
/**
 * How long the code is good.
 */
validFor?: string
/**
 * Browsers offer the code to this host only; one that an administrator set.
 */
host?: string
/**
 * Language of the built-in text.
 */
locale?: ("de" | "en" | "es" | "fr" | "it" | "nl" | "pt")
/**
 * Instead of the built-in text: a template whose only variable is `code`.
 */
template?: string
/**
 * One of the tenant's senders.
 */
sender?: string
/**
 * Id of the endpoint that is told of it; the tenant's default ones unless told.
 */
webhook?: string
/**
 * An opaque token of the caller's.
 */
clientReference?: string
consent?: {
type?: ("none" | "implied" | "soft_opt_in" | "express" | "express_written")
obtainedAt?: string
/**
 * @maxItems 16
 */
purposes?: string[]
evidence?: (boolean | string)
source?: string
ground?: string
withdrawnAt?: (string | null)
}
lawfulBasis?: string
recipientRegion?: string
/**
 * The recipient's, IANA.
 */
timezone?: string
subjectResidence?: string
}
export interface Verification {
id: string
state: ("pending" | "approved" | "locked" | "expired" | "replaced")
expiresAt: string
/**
 * Guesses that are still counted; wrong ones of a day add up.
 */
attemptsLeft: number
/**
 * When another code may be sent to this number.
 */
resendAt: string
}
export interface GetVerificationParams {
id: string
}
export interface CheckVerificationParams {
id: string
}
export interface VerificationCheckInput {
/**
 * What the recipient typed. It is answered nowhere.
 */
code: string
}
export interface VerificationVerdict {
valid: boolean
/**
 * Why not. `locked`: guessed at too often; `replaced`: a newer code was sent.
 */
reason?: ("wrong" | "expired" | "locked" | "used" | "replaced")
attemptsLeft: number
}
export interface WebhookEndpointRequestInput {
/**
 * https, at a public address; no credentials and no fragment.
 */
url: string
name?: string
/**
 * States of messages that it is told of.
 * 
 * @minItems 1
 * @maxItems 8
 */
states?: ("deferred" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown")[]
/**
 * Whether it is told of messages that name no endpoint.
 */
default?: boolean
}
export interface WebhookEndpointSecret {
id: string
/**
 * https, at a public address; no credentials and no fragment.
 */
url: string
name?: string
/**
 * States of messages that it is told of.
 * 
 * @minItems 1
 * @maxItems 8
 */
states: ("deferred" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown")[]
/**
 * Whether it is told of messages that name no endpoint.
 */
default: boolean
/**
 * `unverified`: it has not answered a challenge yet, and is told of nothing.
 */
state: ("unverified" | "enabled" | "disabled")
disabledFor?: ("command" | "failing" | "gone")
disabledAt?: string
verifiedAt?: string
failingSince?: string
/**
 * Those that sign; the secrets themselves are shown once, when they are made.
 */
secrets: {
id: string
createdAt: string
expiresAt?: string
}[]
createdAt: string
createdBy: string
/**
 * Shown this once: `whsec_` and base64.
 */
secret: string
}
export interface ListWebhookEndpointsQuery {
cursor?: string
limit?: number
}
export interface WebhookEndpointPage {
items: WebhookEndpoint[]
next?: string
}
export interface WebhookEndpoint {
id: string
/**
 * https, at a public address; no credentials and no fragment.
 */
url: string
name?: string
/**
 * States of messages that it is told of.
 * 
 * @minItems 1
 * @maxItems 8
 */
states: ("deferred" | "submitted" | "delivered" | "undelivered" | "expired" | "cancelled" | "rejected" | "unknown")[]
/**
 * Whether it is told of messages that name no endpoint.
 */
default: boolean
/**
 * `unverified`: it has not answered a challenge yet, and is told of nothing.
 */
state: ("unverified" | "enabled" | "disabled")
disabledFor?: ("command" | "failing" | "gone")
disabledAt?: string
verifiedAt?: string
failingSince?: string
/**
 * Those that sign; the secrets themselves are shown once, when they are made.
 */
secrets: {
id: string
createdAt: string
expiresAt?: string
}[]
createdAt: string
createdBy: string
}
export interface GetWebhookEndpointParams {
id: string
}
export interface DeleteWebhookEndpointParams {
id: string
}
export interface RotateWebhookSecretParams {
id: string
}
export interface WebhookRotationRequestInput {
/**
 * How long the secrets of before go on signing beside the new one.
 */
keepFor?: string
}
export interface VerifyWebhookEndpointParams {
id: string
}
export interface EnableWebhookEndpointParams {
id: string
}
export interface DisableWebhookEndpointParams {
id: string
}
export interface ListWebhookDeliveriesParams {
id: string
}
export interface ListWebhookDeliveriesQuery {
cursor?: string
limit?: number
}
export interface WebhookDeliveryPage {
items: WebhookDelivery[]
next?: string
}
export interface WebhookDelivery {
/**
 * Its `webhook-id`, the same at every try and replay.
 */
id: string
type: string
message?: string
sequence?: number
at: string
state: ("waiting" | "delivered" | "failed")
code?: string
/**
 * When it is tried next.
 */
nextAt?: string
/**
 * The last 16.
 */
tries: {
at: string
status?: number
/**
 * Why there was no answer, or not the one that counts.
 */
code?: string
milliseconds: number
}[]
}
export interface ReplayWebhookDeliveriesParams {
id: string
}
export interface WebhookReplay {
/**
 * Deliveries that wait now.
 */
count: number
/**
 * There are more than are replayed, or looked at, at once: ask again from this time.
 */
next?: string
}
export interface ListPeopleQuery {
cursor?: string
limit?: number
}
export interface PersonPage {
items: Person[]
next?: string
}
export interface Person {
id: string
/**
 * Empty once the person has left.
 */
login: string
name: string
/**
 * @minItems 1
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
createdAt: string
createdBy: string
/**
 * Until another person vouches for them, `admin`, `approver` and `compliance` are not among these.
 * 
 * @maxItems 6
 */
rolesInForce: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
/**
 * When they set up what they sign in with now.
 */
enrolledAt?: string
/**
 * Who vouched for them.
 */
confirmedBy?: string
state: ("invited" | "enrolled" | "ended")
endedAt?: string
}
export interface PersonInvitationInput {
/**
 * A login name or an address; case does not matter.
 */
login: string
name?: string
/**
 * @minItems 1
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
}
export interface EnrolmentToken {
id: string
/**
 * Shown once; good for one enrolment.
 */
enrolmentToken: string
expiresAt: string
}
export interface GetPersonParams {
id: string
}
export interface RenewEnrolmentParams {
id: string
}
export interface SetPersonRolesParams {
id: string
}
export interface PersonRolesInput {
/**
 * @minItems 1
 * @maxItems 6
 */
roles: ("sender" | "compliance" | "approver" | "operator" | "auditor" | "admin")[]
}
export interface EndPersonParams {
id: string
}
export interface PersonEndingInput {
/**
 * Revoke the API keys that they made or were shown, and those made with these.
 */
revokeKeys?: boolean
}
export interface PersonEnded {
/**
 * Ids of API keys that they made or were shown, and of those made with these, that still open.
 */
liveKeys: string[]
revokedKeys: string[]
}
export interface ConfirmPersonParams {
id: string
}
export interface PersonConfirmationInput {
/**
 * When they enrolled, as the person's record says, and as they say when you ask them.
 */
enrolledAt: string
}
export interface SessionPage {
items: {
id: string
method: ("password" | "recovery" | "passkey" | "sso")
startedAt: string
usedAt: string
endsAt: string
current: boolean
}[]
}
export interface EndSessionParams {
id: string
}
export interface NewPasswordInput {
password: string
}
export interface RecoveryCodes {
recoveryCodes: string[]
}
export interface PasskeyPage {
items: {
id: string
addedAt: string
}[]
}
export interface AddPasskeyBody {
id: string
rawId: string
type: "public-key"
clientExtensionResults?: {
[k: string]: unknown
}
authenticatorAttachment?: string
response: {
clientDataJSON: string
attestationObject: string
/**
 * @maxItems 16
 */
transports?: string[]
[k: string]: unknown
}
[k: string]: unknown
}
/**
 * Added
 * 
 */
export interface AddPasskeyAnswer {
id: string
}
/**
 * Options for navigator.credentials.create
 * 
 */
export interface BeginPasskeyAnswer {
[k: string]: unknown
}
export interface RemovePasskeyParams {
id: string
}

/** Every code that a problem may bear. */
export type ErrorCode =
	| "invalid_request"
	| "unauthenticated"
	| "sign_in_failed"
	| "sign_in_slowed"
	| "sso_failed"
	| "sso_mfa_missing"
	| "sso_unlinked"
	| "sso_taken"
	| "sso_only"
	| "no_password"
	| "enrolment_invalid"
	| "password_refused"
	| "cross_origin"
	| "person_required"
	| "fresh_mfa_required"
	| "last_credential"
	| "login_taken"
	| "sessions_unavailable"
	| "forbidden"
	| "token_invalid"
	| "proof_invalid"
	| "signature_invalid"
	| "address_refused"
	| "category_refused"
	| "not_found"
	| "method_not_allowed"
	| "not_cancellable"
	| "template_name_taken"
	| "key_without_text"
	| "key_changed"
	| "endpoint_unverified"
	| "endpoint_disabled"
	| "idempotency_in_progress"
	| "answer_not_kept"
	| "body_too_large"
	| "unsupported_media_type"
	| "idempotency_mismatch"
	| "invalid_number"
	| "reference_not_opaque"
	| "card_number"
	| "batch_refused"
	| "tenant_suspended"
	| "policy_denied"
	| "policy_refused"
	| "policies_unavailable"
	| "policies_not_governed"
	| "proposal_state"
	| "self_approval"
	| "person_acted_on"
	| "enrolment_changed"
	| "other_approver"
	| "hold_settled"
	| "message_held"
	| "not_enrolled"
	| "simulation_stale"
	| "validity_too_long"
	| "link_host_missing"
	| "pin_required"
	| "recipient_key_missing"
	| "challenge_failed"
	| "recipient_key_revoked"
	| "opt_in_not_fresh"
	| "too_many_records"
	| "request_state"
	| "identity_unchecked"
	| "extension_refused"
	| "export_pending"
	| "headers_too_large"
	| "request_timeout"
	| "destination_not_allowed"
	| "limit_reached"
	| "no_route"
	| "rate_limited"
	| "overloaded"
	| "internal"
	| "quarantined"
	| "keys_unavailable"
	| "issuer_unavailable"
	| "store_unavailable"
	| "queues_unavailable"
	| "clock_off"
	| "outcome_unknown"
	| "callback_invalid"
	| "callback_unauthenticated"
	| "callback_unconfirmed"
	| "callback_unverifiable"
	| "content_erased";

/** What each operation takes and answers. */
export type Operations = {
	/** What the token endpoint offers. */
	getTokenMetadata: { answer: GetTokenMetadataAnswer };
	/** Public keys of certificates, checkpoints, receipts of sending and tokens. */
	getPublicKeys: { answer: GetPublicKeysAnswer };
	/** Whether this process answers. */
	getHealth: { answer: GetHealthAnswer };
	/** Whether messages can be accepted, and which servers answer. */
	getReadiness: { answer: GetReadinessAnswer };
	/** Counters, in Prometheus's format. */
	getMetrics: { answer: GetMetricsAnswer };
	/** Public keys of certificates, checkpoints, receipts of sending and tokens. */
	getVersionedPublicKeys: { answer: GetVersionedPublicKeysAnswer };
	/** Whether this process answers. */
	getVersionedHealth: { answer: GetVersionedHealthAnswer };
	/** Whether messages can be accepted, and which servers answer. */
	getVersionedReadiness: { answer: GetVersionedReadinessAnswer };
	/** Counters, in Prometheus's format. */
	getVersionedMetrics: { answer: GetVersionedMetricsAnswer };
	/** Begin to sign in with a passkey. */
	getPasskeyOptions: { body?: GetPasskeyOptionsBody; answer: GetPasskeyOptionsAnswer };
	/** Sign in, by passkey or by password and code. */
	signIn: { body: SignInInput; answer: SignedIn };
	/** Who is signed in, and until when. */
	getSession: { answer: Session };
	/** Begin to enrol, with the token from an administrator. */
	beginEnrolment: { body: EnrolmentBeginInput; answer: EnrolmentOffer };
	/** Enrol with a password and the first code, or with a passkey. */
	completeEnrolment: { body: EnrolmentInput; answer: Enrolled };
	/** Begin to sign in by single sign-on: where to send the browser. */
	beginSso: { body: SsoBeginningInput; answer: SsoOffer };
	/** Where the identity provider sends the browser back to. */
	comeBackFromSso: { params: ComeBackFromSsoParams; query?: ComeBackFromSsoQuery; answer: Session };
	/** Fetch the session that a program began to sign in for. */
	completeSso: { body: SsoCompletionInput; answer: SignedIn };
	/** Accept a message. */
	createMessage: { query?: CreateMessageQuery; body: MessageRequestInput; answer: CreateMessageAnswer };
	/** List messages, newest first. */
	listMessages: { query?: ListMessagesQuery; answer: MessagePage };
	/** Read a message's state and evidence. */
	getMessage: { params: GetMessageParams; answer: Message };
	/** Cancel a message that is accepted, deferred or queued. */
	cancelMessage: { params: CancelMessageParams; body?: CancelMessageBody; answer: Message };
	/** Read a message's number and text. */
	revealMessage: { params: RevealMessageParams; body: RevealRequestInput; answer: RevealedMessage };
	/** List the messages to a number, newest first. */
	searchMessages: { query?: SearchMessagesQuery; body: NumberSearchInput; answer: MessagePage };
	/** Accept up to 500 messages together. */
	createBatch: { body: BatchRequestInput; answer: AcceptedBatch };
	/** What became of a batch, message by message. */
	getBatch: { params: GetBatchParams; answer: Batch };
	/** Whether a text that a number got is this tenant's, by the tag in its last line. */
	checkText: { body: TextCheckInput; answer: TextVerdict };
	/** Say why a message was decided as it was. */
	explainDecision: { params: ExplainDecisionParams; answer: DecisionExplanation };
	/** A signed receipt of sending: what became of a message so far. */
	getSendingReceipt: { params: GetSendingReceiptParams; answer: SendingReceipt };
	/** Store a template; it never changes, a new wording is a new template. */
	createTemplate: { body: TemplateRequestInput; answer: Template };
	/** List templates, newest first. */
	listTemplates: { query?: ListTemplatesQuery; answer: TemplatePage };
	/** Let a template fill no new message; within five seconds everywhere. */
	retireTemplate: { params: RetireTemplateParams; body?: RetireTemplateBody; answer: Template };
	/** One template. */
	getTemplate: { params: GetTemplateParams; answer: Template };
	/** List every version of every policy pack. */
	listPolicies: { answer: PolicyList };
	/** Read the text of a policy pack. */
	getPolicy: { params: GetPolicyParams; answer: GetPolicyAnswer };
	/** Propose a new version of a policy pack. */
	createPolicyProposal: { body: PolicyProposalRequestInput; answer: PolicyProposalDetail };
	/** List proposals, newest first. */
	listPolicyProposals: { query?: ListPolicyProposalsQuery; answer: PolicyProposalPage };
	/** Read a proposal, its text and what it changes. */
	getPolicyProposal: { params: GetPolicyProposalParams; answer: PolicyProposalDetail };
	/** Check a draft and run its cases. */
	checkPolicyProposal: { params: CheckPolicyProposalParams; body?: CheckPolicyProposalBody; answer: PolicyProposalDetail };
	/** Count what it would change of the stored messages. */
	simulatePolicyProposal: { params: SimulatePolicyProposalParams; body?: SimulatePolicyProposalBody; answer: PolicyProposalDetail };
	/** Approve somebody else's proposal. */
	approvePolicyProposal: { params: ApprovePolicyProposalParams; body?: ApprovePolicyProposalBody; answer: PolicyProposalDetail };
	/** Publish an approved proposal from a date on. */
	publishPolicyProposal: { params: PublishPolicyProposalParams; body?: PublishPolicyProposalBody; answer: PolicyProposalDetail };
	/** Withdraw a proposal that is not published. */
	withdrawPolicyProposal: { params: WithdrawPolicyProposalParams; body?: WithdrawPolicyProposalBody; answer: PolicyProposalDetail };
	/** Read an erasure certificate. */
	getCertificate: { params: GetCertificateParams; answer: Certificate };
	/** List the certificates about a submission, a cohort or a record of a recipient, newest first. */
	listCertificates: { query: ListCertificatesQuery; answer: CertificatePage };
	/** All consents on record of a number, and what each still counts for. */
	searchConsents: { body: NumberSearchInput; answer: ConsentsFound };
	/** List consents, newest first, without numbers. */
	listConsents: { query?: ListConsentsQuery; answer: ConsentPage };
	/** Record a recipient's consent with its proof. */
	recordConsent: { body: ConsentRequestInput; answer: Consent };
	/** Read a consent. */
	getConsent: { params: GetConsentParams; answer: Consent };
	/** Record that a consent was withdrawn; it reaches messages that wait. */
	withdrawConsent: { params: WithdrawConsentParams; body?: WithdrawConsentBody; answer: Consent };
	/** Record that a recipient has opted out; in force at once. */
	recordOptOut: { body: OptOutRequestInput; answer: RecordedOptOut };
	/** List opt-outs, newest first, without numbers. */
	listOptOuts: { query?: ListOptOutsQuery; answer: OptOutPage };
	/** Lift an opt-out for an opt-in that the recipient gave after it. */
	liftOptOut: { params: LiftOptOutParams; body: LiftRequestInput; answer: OptOut };
	/** What opt-outs block of a number, and all that are on record of it. */
	searchOptOuts: { body: NumberSearchInput; answer: OptedOut };
	/** Ask for what only the holder of a key can answer. */
	challengeRecipientKey: { body: RecipientKeyChallengeRequestInput; answer: RecipientKeyChallenge };
	/** Register a recipient's key with the answer to its challenge, in the place of the one before. */
	registerRecipientKey: { body: RecipientKeyRequestInput; answer: RecipientKey };
	/** List recipients' keys, newest first, without numbers. */
	listRecipientKeys: { query?: ListRecipientKeysQuery; answer: RecipientKeyPage };
	/** Encrypt nothing to a key any more, and send nothing that is; for good. */
	revokeRecipientKey: { params: RevokeRecipientKeyParams; body?: RevokeRecipientKeyBody; answer: RecipientKey };
	/** Read a recipient's key. */
	getRecipientKey: { params: GetRecipientKeyParams; answer: RecipientKey };
	/** All keys on record of a number, the newest first: that one is in force unless it has ended. */
	searchRecipientKeys: { body: NumberSearchInput; answer: RecipientKeyPage };
	/** The public keys by which recipients tell that a `lethe2` text is of this tenant. */
	getSenderKeys: { answer: SenderKeys };
	/** List holds, newest first, without numbers. */
	listHolds: { query?: ListHoldsQuery; answer: HoldPage };
	/** Place a legal hold on a message, a recipient, a period or all of the tenant. */
	placeHold: { body: HoldRequestInput; answer: Hold };
	/** Release a hold; what it kept beyond its time is erased soon. */
	releaseHold: { params: ReleaseHoldParams; body?: ReleaseHoldBody; answer: Hold };
	/** Approve a hold that names you as its approver. */
	approveHold: { params: ApproveHoldParams; body?: ApproveHoldBody; answer: Hold };
	/** Reject a hold that names you as its approver: it ends as by a release. */
	rejectHold: { params: RejectHoldParams; body?: RejectHoldBody; answer: Hold };
	/** Record what a person asks for; the law's clocks start. */
	recordSubjectRequest: { body: RecordSubjectRequestInput; answer: SubjectRequest };
	/** List subjects' requests, newest first, without numbers. */
	listSubjectRequests: { query?: ListSubjectRequestsQuery; answer: SubjectRequestPage };
	/** One request: its clocks, tasks, what was erased and what is kept and why. */
	getSubjectRequest: { params: GetSubjectRequestParams; answer: SubjectRequest };
	/** The requester was told that the request has come. */
	acknowledgeSubjectRequest: { params: AcknowledgeSubjectRequestParams; body?: AcknowledgeSubjectRequestBody; answer: SubjectRequest };
	/** Who asks was checked, and for which time the number was theirs. */
	identitySubjectRequest: { params: IdentitySubjectRequestParams; body: IdentityCheckInput; answer: SubjectRequest };
	/** Decide a task that only a person can. */
	decideSubjectRequest: { params: DecideSubjectRequestParams; body: TaskDecisionInput; answer: SubjectRequest };
	/** Extend the time to answer, within what the law permits. */
	extendSubjectRequest: { params: ExtendSubjectRequestParams; body: RequestExtensionInput; answer: SubjectRequest };
	/** The request was answered, or withdrawn. */
	closeSubjectRequest: { params: CloseSubjectRequestParams; body: RequestAnswerInput; answer: SubjectRequest };
	/** Export what is kept of the person, or the disclosures of their health data. */
	exportSubjectRequest: { params: ExportSubjectRequestParams; body: RequestExportInput; answer: ExportSubjectRequestAnswer };
	/** All requests of a time and how they were answered; of the last 24 months unless told. */
	getRequestLog: { query?: GetRequestLogQuery; answer: GetRequestLogAnswer };
	/** The record of processing activities, as it stands now. */
	getProcessingRecord: { query?: GetProcessingRecordQuery; answer: GetProcessingRecordAnswer };
	/** List the send queues, how full they are and how fast. */
	listQueues: { answer: SendQueues };
	/** Send nothing from this queue until it is resumed. */
	pauseQueue: { params: PauseQueueParams; body: StopSendQueueInput; answer: SendQueue };
	/** Send from this queue again. */
	resumeQueue: { params: ResumeQueueParams; body?: ResumeQueueBody; answer: SendQueue };
	/** Send what this queue has, and route nothing new to it. */
	drainQueue: { params: DrainQueueParams; body: StopSendQueueInput; answer: SendQueue };
	/** Set the rates, prices and registrations of this queue. */
	setQueue: { params: SetQueueParams; body: SendQueueSettingsInput; answer: SendQueue };
	/** What needs a person now, the worst first. */
	listAlerts: { answer: Alerts };
	/** Create an API key, shown once. */
	createApiKey: { body: NewApiKeyInput; answer: IssuedApiKey };
	/** List the keys, newest first. */
	listApiKeys: { query?: ListApiKeysQuery; answer: ApiKeyPage };
	/** Read what a key may do and when it was last used. */
	getApiKey: { params: GetApiKeyParams; answer: ApiKey };
	/** Give a key a new text; the one before goes on for a while. */
	rotateApiKey: { params: RotateApiKeyParams; body?: RotateApiKeyBody; answer: IssuedApiKey };
	/** End a key at once, everywhere within a second. */
	revokeApiKey: { params: RevokeApiKeyParams; body?: RevokeApiKeyBody; answer: ApiKey };
	/** Where the tenant's messages may go, how fast and for how much. */
	readSendingLimits: { answer: SendingLimits };
	/** Set where the tenant's messages may go, how fast and for how much. */
	setSendingLimits: { body: SendingLimitsChangeInput; answer: SendingLimits };
	/** The last checkpoint, a signed note (C2SP tlog-checkpoint). */
	getEvidenceCheckpoint: { answer: GetEvidenceCheckpointAnswer };
	/** Prove that the log of the last checkpoint holds an entry (RFC 6962, 2.1.1). */
	proveEvidence: { params: ProveEvidenceParams; answer: InclusionProof };
	/** Prove that the log has only grown since it had so many entries (RFC 6962, 2.1.2). */
	proveEvidenceGrowth: { query: ProveEvidenceGrowthQuery; answer: GrowthProof };
	/** Export what was integrated in a period, with its proof. */
	exportEvidence: { query?: ExportEvidenceQuery; answer: ExportEvidenceAnswer };
	/** List entries of the evidence log, the last integrated first. */
	listEvidence: { query?: ListEvidenceQuery; answer: EvidencePage };
	/** Send a one-time code to a number. */
	createVerification: { body: VerificationRequestInput; answer: Verification };
	/** How a code stands. */
	getVerification: { params: GetVerificationParams; answer: Verification };
	/** Check what the recipient typed; each check counts, and a right code serves once. */
	checkVerification: { params: CheckVerificationParams; body: VerificationCheckInput; answer: VerificationVerdict };
	/** Register an endpoint; its secret is shown this once. */
	createWebhookEndpoint: { body: WebhookEndpointRequestInput; answer: WebhookEndpointSecret };
	/** List the tenant's endpoints, newest first. */
	listWebhookEndpoints: { query?: ListWebhookEndpointsQuery; answer: WebhookEndpointPage };
	/** One endpoint. */
	getWebhookEndpoint: { params: GetWebhookEndpointParams; answer: WebhookEndpoint };
	/** Delete an endpoint, its secrets and its log. */
	deleteWebhookEndpoint: { params: DeleteWebhookEndpointParams; answer: WebhookEndpoint };
	/** Make a new secret, shown this once; the others go on signing for a while. */
	rotateWebhookSecret: { params: RotateWebhookSecretParams; body?: RotateWebhookSecretBody; answer: WebhookEndpointSecret };
	/** Send the endpoint a challenge once more; tried for ten minutes. */
	verifyWebhookEndpoint: { params: VerifyWebhookEndpointParams; body?: VerifyWebhookEndpointBody; answer: WebhookEndpoint };
	/** Tell the endpoint of messages again; what it missed is told by a replay. */
	enableWebhookEndpoint: { params: EnableWebhookEndpointParams; body?: EnableWebhookEndpointBody; answer: WebhookEndpoint };
	/** Tell the endpoint of nothing until it is enabled. */
	disableWebhookEndpoint: { params: DisableWebhookEndpointParams; body?: DisableWebhookEndpointBody; answer: WebhookEndpoint };
	/** What the endpoint was told, by the time of the event, newest first; kept for 30 days. */
	listWebhookDeliveries: { params: ListWebhookDeliveriesParams; query?: ListWebhookDeliveriesQuery; answer: WebhookDeliveryPage };
	/** Tell the endpoint again, by id or by time; each keeps its `webhook-id`. */
	replayWebhookDeliveries: { params: ReplayWebhookDeliveriesParams; body: WebhookReplayRequestInput; answer: WebhookReplay };
	/** List who may sign in, the newest first. */
	listPeople: { query?: ListPeopleQuery; answer: PersonPage };
	/** Invite a person. */
	invitePerson: { body: PersonInvitationInput; answer: EnrolmentToken };
	/** Read who a person is. */
	getPerson: { params: GetPersonParams; answer: Person };
	/** Have a person enrol anew, who has lost what they sign in with. */
	renewEnrolment: { params: RenewEnrolmentParams; body?: RenewEnrolmentBody; answer: EnrolmentToken };
	/** Give a person other roles; within half a second everywhere. */
	setPersonRoles: { params: SetPersonRolesParams; body: PersonRolesInput; answer: Person };
	/** Let a person sign in no more, for good. */
	endPerson: { params: EndPersonParams; body?: EndPersonBody; answer: PersonEnded };
	/** Vouch for a person who has enrolled: it is they who did. */
	confirmPerson: { params: ConfirmPersonParams; body: PersonConfirmationInput; answer: Person };
	/** Where one is signed in, the newest first. */
	listSessions: { answer: SessionPage };
	/** Sign out. */
	signOut: { body?: SignOutBody; answer: SignOutAnswer };
	/** End one of one's sessions. */
	endSession: { params: EndSessionParams; body?: EndSessionBody; answer: EndSessionAnswer };
	/** Change one's password. */
	changePassword: { body: NewPasswordInput; answer: ChangePasswordAnswer };
	/** New recovery codes, in place of those of before. */
	renewRecoveryCodes: { body?: RenewRecoveryCodesBody; answer: RecoveryCodes };
	/** One's own passkeys. */
	listPasskeys: { answer: PasskeyPage };
	/** Add a passkey. */
	addPasskey: { body: AddPasskeyBody; answer: AddPasskeyAnswer };
	/** Begin to add a passkey. */
	beginPasskey: { body?: BeginPasskeyBody; answer: BeginPasskeyAnswer };
	/** Remove a passkey; one that leaves nothing to sign in with stays. */
	removePasskey: { params: RemovePasskeyParams; body?: RemovePasskeyBody; answer: RemovePasskeyAnswer };
};

