// Who may do what: every route that asks who calls, and the roles that may; one of them is enough.

import { type Role, roles } from "../domain/roles.ts";

/** Who may read messages and what is proven of them: everyone but approvers, who see proposals. */
const readers = ["sender", "compliance", "operator", "auditor", "admin"] as const satisfies Role[];
const proposalReaders = ["compliance", "approver", "operator", "auditor", "admin"] as const satisfies Role[];

/** Method and path → the roles that may. A route that is not here stops the start: none is open by being forgotten. */
export const routeRoles: Readonly<Record<string, readonly Role[]>> = {
	"POST /v1/messages": ["sender"],
	"GET /v1/messages": readers,
	"GET /v1/messages/:id": readers,
	"GET /v1/messages/:id/decision": ["sender", "compliance", "operator", "auditor"],
	"POST /v1/messages/:id/cancel": ["sender", "operator"],
	"POST /v1/messages/:id/reveal": ["compliance"],
	"POST /v1/messages/search": ["compliance", "auditor"],
	"POST /v1/batches": ["sender"],
	"GET /v1/batches/:id": readers,

	"POST /v1/templates": ["compliance", "admin"],
	"GET /v1/templates": readers,
	"GET /v1/templates/:id": readers,
	"POST /v1/templates/:id/retire": ["compliance", "admin"],

	"GET /v1/policies": [...readers, "approver"],
	"GET /v1/policies/:pack/:version": [...readers, "approver"],
	"POST /v1/policy-proposals": ["compliance"],
	"GET /v1/policy-proposals": proposalReaders,
	"GET /v1/policy-proposals/:id": proposalReaders,
	"POST /v1/policy-proposals/:id/check": ["compliance"],
	"POST /v1/policy-proposals/:id/simulate": ["compliance"],
	"POST /v1/policy-proposals/:id/approve": ["approver"],
	"POST /v1/policy-proposals/:id/publish": ["compliance", "approver"],
	"POST /v1/policy-proposals/:id/withdraw": ["compliance", "approver"],

	"POST /v1/consents": ["sender", "compliance"],
	"GET /v1/consents": ["compliance", "auditor"],
	"GET /v1/consents/:id": ["compliance", "auditor"],
	"POST /v1/consents/:id/withdraw": ["sender", "compliance"],
	"POST /v1/consents/search": ["compliance", "auditor"],
	"POST /v1/opt-outs": ["sender", "compliance"],
	"GET /v1/opt-outs": ["compliance", "auditor"],
	"POST /v1/opt-outs/:id/lift": ["compliance"],
	"POST /v1/opt-outs/search": ["compliance", "auditor"],
	"POST /v1/holds": ["compliance", "admin"],
	"GET /v1/holds": ["compliance", "auditor", "admin"],
	"POST /v1/holds/:id/release": ["compliance", "admin"],

	"POST /v1/subject-requests": ["compliance"],
	"GET /v1/subject-requests": ["compliance", "auditor"],
	"GET /v1/subject-requests/:id": ["compliance", "auditor"],
	"GET /v1/subject-requests/log": ["compliance", "auditor"],
	"POST /v1/subject-requests/:id/acknowledge": ["compliance"],
	"POST /v1/subject-requests/:id/identity": ["compliance"],
	"POST /v1/subject-requests/:id/decide": ["compliance"],
	"POST /v1/subject-requests/:id/extend": ["compliance"],
	"POST /v1/subject-requests/:id/close": ["compliance"],
	"POST /v1/subject-requests/:id/export": ["compliance"],
	"GET /v1/processing-record": ["compliance", "auditor"],

	"GET /v1/certificates": readers,
	"GET /v1/certificates/:id": readers,
	"GET /v1/evidence": ["compliance", "auditor"],
	"GET /v1/evidence/checkpoint": ["compliance", "auditor"],
	"GET /v1/evidence/:index/proof": ["compliance", "auditor"],
	"GET /v1/evidence/growth": ["compliance", "auditor"],
	"GET /v1/evidence/export": ["compliance", "auditor"],

	"POST /v1/api-keys": ["admin"],
	"GET /v1/api-keys": ["admin", "auditor"],
	"GET /v1/api-keys/:id": ["admin", "auditor"],
	"POST /v1/api-keys/:id/rotate": ["admin"],
	"POST /v1/api-keys/:id/revoke": ["admin"],

	"GET /v1/people": ["admin", "auditor"],
	"GET /v1/people/:id": ["admin", "auditor"],
	"POST /v1/people": ["admin"],
	"POST /v1/people/:id/enrolment": ["admin"],
	"POST /v1/people/:id/roles": ["admin"],
	"POST /v1/people/:id/end": ["admin"],

	// One's own.
	"GET /v1/session": roles,
	"POST /v1/session/end": roles,
	"POST /v1/session/password": roles,
	"POST /v1/session/recovery-codes": roles,
	"GET /v1/sessions": roles,
	"POST /v1/sessions/:id/end": roles,
	"GET /v1/passkeys": roles,
	"POST /v1/passkeys": roles,
	"POST /v1/passkeys/options": roles,
	"POST /v1/passkeys/:id/remove": roles,

	"GET /v1/alerts": ["operator", "admin"],
	"GET /v1/queues": ["operator", "admin"],
	"POST /v1/queues/:id/pause": ["operator", "admin"],
	"POST /v1/queues/:id/resume": ["operator", "admin"],
	"POST /v1/queues/:id/drain": ["operator", "admin"],
	"GET /v1/sending-limits": ["operator", "admin"],
	"POST /v1/sending-limits": ["operator", "admin"],
};

/** No key and no token may, whatever its roles: an approval, and whom else to trust, is a person's word. */
export const personRoutes: ReadonlySet<string> = new Set([
	"POST /v1/messages/:id/reveal",
	"POST /v1/policy-proposals/:id/approve",
	"POST /v1/people",
	"POST /v1/people/:id/enrolment",
	"POST /v1/people/:id/roles",
	"POST /v1/people/:id/end",
	"GET /v1/session",
	"POST /v1/session/end",
	"POST /v1/session/password",
	"POST /v1/session/recovery-codes",
	"GET /v1/sessions",
	"POST /v1/sessions/:id/end",
	"GET /v1/passkeys",
	"POST /v1/passkeys",
	"POST /v1/passkeys/options",
	"POST /v1/passkeys/:id/remove",
]);

/** Of a person, a second factor shown within the last minutes: what can't be taken back, and what opens other doors. */
export const freshMfaRoutes: ReadonlySet<string> = new Set([
	"POST /v1/messages/:id/reveal",
	"POST /v1/policy-proposals/:id/approve",
	"POST /v1/policy-proposals/:id/publish",
	"POST /v1/subject-requests/:id/identity",
	"POST /v1/subject-requests/:id/decide",
	"POST /v1/subject-requests/:id/export",
	"POST /v1/holds/:id/release",
	"POST /v1/api-keys",
	"POST /v1/api-keys/:id/rotate",
	"POST /v1/api-keys/:id/revoke",
	"POST /v1/people",
	"POST /v1/people/:id/enrolment",
	"POST /v1/people/:id/roles",
	"POST /v1/people/:id/end",
	"POST /v1/session/password",
	"POST /v1/session/recovery-codes",
	"POST /v1/passkeys",
	"POST /v1/passkeys/:id/remove",
]);
