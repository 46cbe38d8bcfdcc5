// The bounds that callers meet and parts of the engine share, each with its unit last in its name; the relations between them
// are asserted by a test. What a single file alone counts, such as rounds or what a cache holds, stands there.

export const limits = {
	// the door
	bodyBytesMax: 64 * 1024,
	textCharactersMax: 1530,
	clientReferenceCharactersMax: 64,
	// The ARN of a carrier's pool of numbers is the longest that any takes.
	senderCharactersMax: 256,
	idempotencyKeyCharactersMax: 128,
	idempotencyKeptMs: 24 * 3600_000,
	pageItemsMax: 100,
	startsInFlightMax: 64,
	// Runs to be started next, as a burst leaves them; what waits longer than the sweep's patience is the sweep's.
	startsWaitingMax: 5_000,
	// Starts take as much of a small machine as acceptances do: while so many are under way, a start waits so long at most.
	acceptancesBusyMin: 8,
	startsGiveWayMsMax: 2_000,
	headerBytesMax: 16 * 1024,
	// What slow callers may keep open: headers come within this, a whole request within that, an idle socket ends.
	headersMsMax: 10_000,
	requestMsMax: 30_000,
	socketIdleMsMax: 90_000,
	// A time of sending that is past is now: its caller tried through an outage, or has a clock that is behind. One long past is an error.
	sendAtPastMsMax: 24 * 60 * 60 * 1_000,
	// Who is slower is seen so soon after: Node looks every 30 s by itself.
	slowCallersSeenMs: 1_000,
	// Bodies that one process has taken in and not yet answered; of batches, which grow most, also their number.
	bytesInFlightMax: 32 * 1024 * 1024,
	batchesInFlightMax: 32,
	// Of one key: what is much work, and what would tell of many people.
	exportsPerMinuteMax: 60,
	searchesPerMinuteMax: 600,
	messageSearchesPerMinuteMax: 60,
	revealsPerMinuteMax: 20,
	// A caller may have its answer wait for a message's final state so long; of them so many wait at once.
	stateWaitMsMax: 30_000,
	stateWaitersMax: 256,
	// What a readiness check has not found by then is down; what it found is told for so long.
	readinessCheckMsMax: 2_000,
	readinessKeptMs: 1_000,
	// A figure that a scrape asks a server for: whoever scrapes waits ten seconds by itself, for all of them.
	metricReadMsMax: 3_000,
	// Whoever renews the API's certificate needs days, and authorities hand out none for less than a few weeks.
	tlsCertificateNoticeMs: 14 * 24 * 3600_000,
	// A server whose certificate is looked at has had its handshake by then.
	tlsHandshakeMsMax: 2_000,
	// Failures to authenticate from one address within a minute: the first are not slowed, each further one longer.
	failuresFreeMax: 20,
	failureStepMs: 20,
	failureDelayMsMax: 2_000,
	slowedFailuresMax: 64,

	// a submission
	submissionMessagesMax: 500,
	batchBytesMax: 2 * 1024 * 1024,
	// A message, and a submission's head last, which is its acceptance, is inserted this long after it was judged at the
	// latest, or never.
	headInsertMsMax: 30_000,
	// Members that have no head by then are orphans; after it was missed for so long at the least, for the clock of the machine
	// that accepted them may be behind. Two that miss it may differ by twice the skew.
	orphanPatienceMs: 120_000,
	headMissedMs: 101_000,
	attemptsMax: 20,
	receiptsKeptMax: 32,
	// Of those that neither move a message nor tell of a part of it: the others leave no room for more.
	receiptsUnheededMax: 8,
	holdsPerMessageMax: 64,
	// A hold whose named approver has not said yes or no for this time is an alert.
	holdApprovalLateMs: 24 * 3600_000,
	certificatesPerMessageMax: 16,
	// Who moves more often has left the first of them so long ago that their keys are gone.
	formerCohortsMax: 32,

	// a template
	templateVariablesMax: 32,
	templatesPerTenantMax: 1_000,

	// webhooks
	webhookEndpointsPerTenantMax: 20,
	webhookUrlCharactersMax: 2_048,
	webhookSecretsMax: 4,
	webhookTimeoutMs: 10_000,
	// Of an answer nobody needs more than a challenge given back.
	webhookAnswerBytesMax: 4 * 1024,
	webhookBackoffFirstMs: 5_000,
	webhookBackoffMaxMs: 4 * 3600_000,
	// After an event, or its replay, its tries end; an endpoint that failed for so long without a success is disabled.
	webhookTryMs: 24 * 3600_000,
	webhookChallengeMs: 10 * 60_000,
	// Whoever has claimed deliveries is presumed lost by then.
	webhookLeaseMs: 60_000,
	webhookTriesKeptMax: 16,
	// Under way at once, by each process: a receiver that is slow keeps no other waiting, nor does a tenant that has many.
	webhooksInFlightMax: 128,
	webhooksInFlightPerTenantMax: 32,
	webhooksInFlightPerEndpointMax: 8,
	webhookLogMs: 30 * 24 * 3600_000,
	webhookReplayItemsMax: 1_000,
	// A replay of a time looks at so many for those that are to be told again, and says from when to go on.
	webhookReplayLookedItemsMax: 100_000,
	// That an endpoint was disabled is known everywhere within this time.
	webhookSeenMs: 5_000,
	// Wherever messages are accepted a new endpoint is known within this time, and is challenged no sooner.
	webhookListedMs: 1_000,

	// one-time codes: NIST SP 800-63B-4 has them expire within ten minutes, serve once, and be guessed at only so often
	verificationDigitsMin: 6,
	verificationDigitsMax: 10,
	verificationValidForMaxMs: 10 * 60_000,
	verificationValidForMinMs: 60_000,
	verificationAttemptsMax: 5,
	// Of a number, within the window, whatever code they were of.
	verificationFailuresMax: 15,
	verificationWindowMs: 24 * 3600_000,
	// After each code of an hour the wait for the next is twice as long.
	verificationCooldownMs: 30_000,
	verificationCooldownMaxMs: 10 * 60_000,
	verificationSendsPerHourMax: 5,
	verificationSendsPerDayMax: 10,
	// Of a tenant that sets no limit of its own, to numbers that have had a code within the day.
	verificationResendsPerHourMax: 1_000,
	verificationIdsKeptMax: 16,
	verificationHostsMax: 16,

	// a secure link
	// OWASP's figure for PBKDF2-HMAC-SHA256.
	pinIterationsMin: 600_000,
	pinCharactersMin: 4,
	pinCharactersMax: 12,
	// Stretching one PIN takes a core a good tenth of a second: so many of a batch, and so many at once.
	pinsPerBatchMax: 20,
	pinStretchesMax: 2,
	pinStretchesWaitingMax: 64,
	linkWrongPinsMax: 5,
	// The page that opened a link may ask for its message again for so long.
	linkSessionMsMax: 15 * 60_000,
	// After its message's deadline, within what the policies permit.
	linkLifeMs: 7 * 24 * 3600_000,
	linkNoticeCharactersMax: 80,
	linkHostCharactersMax: 60,
	linkRequestBytesMax: 2 * 1024,
	linkRequestsPerMinuteMax: 30,

	// a recipient
	// Beyond these only an opt-out and a hold are still taken down.
	recordsPerSubjectMax: 200,
	purposesPerConsentMax: 16,
	// A consent whose proof would be due, and which is in effect, is looked at again after this time.
	consentCheckMs: 24 * 3600_000,
	// Within it whoever registers a key answers what was encrypted to it.
	keyChallengeMs: 10 * 60_000,
	// A key that has ended outlives every message that was encrypted to it.
	recipientKeyKeptMs: 90 * 24 * 3600_000,
	// Of a tenant: see domain/textTag.ts.
	textChecksPerHourMax: 10_000,
	// Of one category, within the time that is counted. With more nothing that a limit concerns is sent any more.
	countedMessagesMax: 200,

	// time
	validForDefaultMs: 24 * 3600_000,
	validForOtpDefaultMs: 5 * 60_000,
	validForMinMs: 10_000,
	validForMaxMs: 7 * 24 * 3600_000,
	// From acceptance: what is to be sent in seven days is valid for seven more.
	deadlineMsMax: 14 * 24 * 3600_000,
	receiptGraceMs: 60 * 60_000,
	receiptGraceOtpMs: 2 * 60_000,
	clockSkewMs: 30_000,
	// Vault is asked what time it has this often at most, and that a clock is off is told this often.
	clockReadMs: 5_000,
	clockPatienceMs: 500,
	clockToldMs: 60_000,
	carrierTimeoutMs: 10_000,
	carrierConnectionsMax: 256,
	leaseMs: 20_000,
	backoffFirstMs: 1_000,
	backoffMaxMs: 5 * 60_000,
	// A carrier that asks for a longer wait is as good as one that refuses, where there is another.
	throttleBearableMs: 30_000,
	// Nor one that said no that often in a row.
	throttledBearableMax: 5,
	// A queue that failed a message is not tried again for it before, while there are others.
	rerouteAgainMs: 5 * 60_000,
	reroutesMax: 16,
	// A recipient who was written to within this time knows the sender.
	senderKnownMs: 30 * 24 * 3600_000,
	// Between two tries to connect to a carrier that is spoken to over standing links.
	linkBackoffMaxMs: 30_000,
	callbackFreshnessMs: 300_000,
	// From the earliest to the latest time at which one callback is fresh.
	callbackReplayMs: 600_000,
	// What a recipient wrote counts once within this time, which outlasts a carrier's secret that is changed yearly: several
	// carriers sign no time, and a START of long ago must not lift the STOP after it.
	inboundSeenMs: 400 * 24 * 3600_000,
	// Carriers put many receipts into one request, and one that is refused for its size never comes again in parts.
	callbackBytesMax: 256 * 1024,
	callbackUrlCharactersMax: 16 * 1024,
	// A receipt that has not come by then is asked for, where the carrier can be: then at twice that time, and so on.
	receiptPatienceMs: 60_000,
	parkedReceiptMs: 72 * 3600_000,
	// More that nobody knows the message of are told to people.
	receiptsParkedMax: 1_000,
	sweepEveryMs: 10_000,
	// That its schedule was deleted, paused or changed is put right within this time.
	sweepEnsuredEveryMs: 60_000,
	// A driver that has not moved a message within this time is presumed lost and is repeated.
	driverPatienceMs: 15_000,
	// Of more that wait for a send queue nobody needs to know how many.
	backlogCountedMax: 10_000,
	sweepPageItems: 500,
	// Temporal is told counts up to this: a longer run of digits may be a number.
	toldCountMax: 99_999,
	storeAnswerMsMax: 30_000,
	// For a store that was out of sight a request waits so long, as it does for one to be found.
	storeSettleMsMax: 5_000,
	storeAcknowledgeMsMax: 10_000,
	// A Redis that hangs, or is away when a process begins, is as good as none after these: what waits is in the store.
	queuesAnswerMsMax: 5_000,
	queuesReadyMsMax: 2_000,
	// What was read of a recipient this long ago is not read again in between: the sender reads it once more in any case.
	standingFreshMs: 2_000,
	// Two API processes accept a recipient's messages at once; the store has shown each the other's by then.
	reservationMs: 60_000,

	// a carrier's copy
	redactionsAtOnceMax: 16,
	redactionPageItems: 200,
	// So many send queues have their turn at once, each for so long.
	redactionQueuesMax: 32,
	redactionTurnMs: 20_000,
	// A carrier that refuses is asked again, each time twice as late, until its agreement has to do.
	redactionRetryFirstMs: 60_000,
	redactionRetryMaxMs: 24 * 3600_000,
	redactionPatienceMs: 30 * 24 * 3600_000,
	// Longer than most carriers need to be well again, and than a message is with them after its end.
	redactionLateMs: 6 * 3600_000,

	// evidence
	// What the end of its message has not brought into the log by then, the sweep does.
	integratePatienceMs: 10_000,
	// An export waits so long for a checkpoint over its period; the sweep publishes one at its next turn, which is asked for.
	checkpointPatienceMs: 15_000,
	// What no checkpoint covers by then is told to people: the sweep signs one every ten seconds.
	checkpointLateMs: 120_000,
	// Beyond these, a receipt that changes nothing leaves no entry on its message.
	evidencePerMessageMax: 256,

	// logs
	logFlushMs: 1_000,
	logFlushSoonMs: 50,
	logBlockBytesMax: 32 * 1024,
	// What can't be written waits; of more than this the newest lines are lost, and counted.
	logBufferBytesMax: 1024 * 1024,
	logFileAgeMsMax: 24 * 3600_000,
	logDropEveryMs: 3600_000,

	// restores
	quarantinePollMs: 2_000,
	// What blocks or keeps is in force by this time, whether the ledger outside has answered or not.
	ledgerPatienceMs: 1_000,
	ledgerPageItems: 500,
	// The sweep has come by several times: Vault is away, or refuses.
	ledgerLateMs: 60_000,
	ledgerWaitingMax: 1_000_000,

	// people
	peoplePerTenantMax: 1_000,
	loginCharactersMax: 254,
	personNameCharactersMax: 100,
	// Whoever takes something from a person has done it by then, or died.
	personActMs: 2 * 60_000,
	// It never goes alone, so this is more than what NIST SP 800-63B-4, 3.1.1.2, asks of one that goes with a second factor.
	passwordCharactersMin: 12,
	passwordCharactersMax: 256,
	passkeysPerPersonMax: 16,
	sessionsPerPersonMax: 32,
	recoveryCodeItems: 10,
	enrolmentLifeMs: 72 * 3600_000,
	challengeLifeMs: 5 * 60_000,
	// From the way to an identity provider to the way back, with whatever it asks there; then, for a program to fetch its session.
	ssoLifeMs: 10 * 60_000,
	ssoCodeLifeMs: 60_000,
	// From one address, steps of signing in, failed or not: many people may share it.
	signInRequestsPerMinuteMax: 3_000,
	// Failed sign-ins that cost nothing, by account from one network and by network; each further one doubles the wait, up to
	// the longest. From a site, whose networks may be of people who know nothing of each other, all wait as shortly as from
	// everywhere.
	signInsFreePerAccountMax: 5,
	signInsFreePerAddressMax: 30,
	signInsFreePerSiteMax: 100,
	signInWaitMsMax: 15 * 60_000,
	// By account from all networks together but those that its owner comes from: as short as guesses at a code bear, since
	// whoever guesses from many takes each turn.
	signInsFreeEverywhereMax: 20,
	signInWaitEverywhereMsMax: 60_000,
	networkKnownMs: 30 * 24 * 3600_000,
	// A failure takes as long as the slowest does: longer than to hash a password, and to enter it against somebody known.
	signInFailureMsMin: 400,
	// So long a count is kept after its last failure: strangers, who begin as many as they have names and networks, fill no
	// store with those of a single one. Each failure beyond the free ones adds as much, up to the longest.
	signInsKeptMsMin: 30 * 60_000,
	signInsKeptMsMax: 24 * 3600_000,
	// Passwords that are hashed at once, each in 19 MiB, and those that may wait for it.
	passwordHashesMax: 2,
	passwordHashesWaitingMax: 64,

	// tenants
	// A suspension reaches every process that accepts within this time, and every sender within the next.
	tenantSeenMs: 5_000,
	tenantSendMs: 1_000,
	// What was judged before a suspension is in the store by this time after.
	tenantSettleMs: 45_000,
	// What waits for a tenant's return, and a tenant that waits for its cohorts' end, are looked at again after these.
	suspendedCheckMs: 60_000,
	leavingCheckMs: 5_000,
	// Messages of one such tenant that a turn of the sweep goes through; the next follows at once while there are more.
	tenantPageItems: 1_000,

	// What a tenant spent in a month is kept by what it says of its records: that is asked again within this time.
	spendingCheckMs: 30 * 24 * 3600_000,

	// credentials
	// Of those that have not ended.
	apiKeysPerTenantMax: 1_000,
	apiKeysPerMinuteMax: 60,
	// The use of a key is an alert until so long after its end.
	apiKeyEndedMs: 30 * 24 * 3600_000,
	// A look at what needs a person reads what the log has of each key.
	alertLooksPerMinuteMax: 60,
	alertLooksInFlightMax: 4,
	addressRangesMax: 64,
	// Of the networks that a key came from, so many are remembered.
	networksSeenMax: 64,
	publicKeysMax: 4,
	// Of the client certificates that a key's tokens are bound to: room for the next beside each.
	clientCertificatesMax: 4,
	// Who was shown a key's text, or that of a key that made it, is asked after so far: one with more counts as anybody's.
	keyHoldersMax: 32,
	tokenLifeMs: 10 * 60_000,
	// RFC 7523, 3: an assertion that is good for long is one that is worth stealing.
	assertionLifeMsMax: 10 * 60_000,
	outsideTokenAgeMsMax: 24 * 3600_000,
	// A proof of possession is made for one request, just before it.
	proofAgeMsMax: 60_000,
	tokenFormBytesMax: 16 * 1024,
	rotationOverlapMsMax: 30 * 24 * 3600_000,

	// keys
	wrappingKeyUsesMax: 2 ** 24,
	wrappingKeyAgeMsMax: 15 * 60_000,
	wrappingKeysCachedMax: 2_000,
	cohortsSeenMax: 10_000,
	// Keys of the next buckets are made this long before the first message needs them: so long may Vault be away.
	cohortAheadMs: 5 * 60_000,
	cohortAheadEveryMs: 10_000,
	// The narrowest bucket.
	cohortAheadStepMs: 10_000,
	cohortsAheadMax: 500,
	// The API reads the pseudonym keys of tenants that it has not met yet this often.
	subjectKeysEveryMs: 15 * 60_000,
	// A place that nothing was sent for so long is not in use any more.
	cohortIdleMsMax: 24 * 3600_000,

	// subjects' requests
	requestPageItems: 250,
	// A task names so many of the messages that it is about.
	requestTaskMessagesMax: 250,
	// A longer list would make a certificate that no tool reads at once: then there are several.
	requestCertificateItemsMax: 10_000,
	// What waits for a release, a receipt or a date is looked at again after this time.
	requestCheckMs: 20 * 60_000,
	// The request's own certificate names what it erased; should its run be lost, the sweep certifies it by itself then.
	requestCertifyMs: 30 * 60_000,
	requestLogItemsMax: 10_000,
	// Alerts look at so many open requests of a tenant in each state, the oldest.
	requestAlertsItems: 250,
	// Of one request, which says of each when it was made and by whom.
	requestExportsMax: 100,
	exportMessagesMax: 20_000,
	// A step makes pages of an export for so long, and another goes on.
	exportStepMs: 30_000,
	// An answer waits for an export so long: whoever asks again within its life comes back to the same one.
	exportPatienceMs: 25_000,
	exportLifeMs: 10 * 60_000,
	// That one process keeps the keys of.
	exportsKeptMax: 1_000,

	// HMAC keys
	// Processes read their versions this often, and may go on for so long while Vault is away.
	hmacRefreshMs: 60_000,
	hmacStaleMsMax: 24 * 3600_000,
	// And with the keys by which the recipients of end-to-end encrypted texts know the sender.
	senderKeyStaleMsMax: 24 * 3600_000,
	// With carriers' and webhooks' secrets, too: but one that was withdrawn meanwhile must not serve for ever.
	secretStaleMsMax: 15 * 60_000,
	// Every process knows a version before any process makes hashes with it, so none misses what another stored.
	hmacAnnounceMs: 120_000,

	// rotation
	// A rotated key's old versions open what was drawn under them just before for so long; then they end.
	keyRestMs: 10 * 60_000,
	// What needs an old version is counted so far, and so many of it are named.
	keyNeedsCountedMax: 1_000,
	keyNeedsNamedMax: 5,
	keyNeedsPageItems: 500,
	keysRenewedPerSweepItems: 50,
	// Vault refuses longer lists.
	rewrapPageItems: 200,

	// purge
	purgePageItems: 500,
	// Pages of one step: while one is read back and certified, the next is erased.
	purgeStepPagesMax: 4,
	// A page that its worker has not finished by then is finished by whoever comes by: no request of it is still on its way.
	purgePagePatienceMs: 2 * 60_000,
	// A message that nobody can read is set aside for so long before it is tried again, and so many of them are told of.
	unreadableCheckMs: 10 * 60_000,
	unreadableItems: 100,
	// A cohort that a hold or a late member keeps is looked at again after this time.
	heldCohortCheckMs: 10 * 60_000,
	// Of messages that a hold on a period or tenant is put on in one write, and of such writes before others get their turn.
	holdPageItems: 500,
	holdPagesMax: 20,
	// Whatever erases learns within this time of a hold on a period or tenant, of so many tenants at once; meanwhile it may not.
	holdSeenMs: 1_000,
	holdsSeenMax: 10_000,
	// What was judged before a hold was recorded, or ended, is in the store by this time after.
	holdSettleMs: 120_000,
	// A hold's key whose release nobody has told of is looked at again after this time: what it kept goes within the hour.
	holdKeyCheckMs: 30 * 60_000,

	// policies
	packBytesMax: 256 * 1024,
	// A process remembers so many as it read them: more than a release ships with what is published beside it.
	packsReadMax: 128,
	policyPollMs: 1_000,
	policyVerifyMs: 30_000,
	// A process that has not read the published versions for so long decides nothing.
	policyStaleMs: 4_000,
	// A version is in force no sooner than this after it was published: every process has it by then, or decides nothing.
	policyNoticeMs: 5_000,
	// What was judged before a version was in force is in the store by this time after.
	retimeSettleMs: 60_000,
	publishPatienceMs: 30_000,
	policyPageItems: 200,
	policyStepMs: 5_000,
	// Of a pack's faults so many are told at once.
	packFaultsMax: 100,
	policySamplesMax: 5,
	retimingsKeptMax: 8,
	// A process looks again whether a cohort may still be joined after this time,
	cohortSeenMs: 30_000,
	// so one that was given up is empty for good after this: nobody can still be about to join it.
	cohortRetireMs: 120_000,
	cohortLeftCheckMs: 60_000,
	cohortLeavingMs: 15 * 60_000,
} as const;
