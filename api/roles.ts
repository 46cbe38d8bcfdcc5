// Who may do what: one row a route that asks who calls.

import { type Role, roles } from "../domain/roles.ts";
import type { Access } from "./plugins/auth.ts";

/** Who may read messages and what is proven of them: everyone but approvers, who see proposals. */
const readers = ["sender", "compliance", "operator", "auditor", "admin"] as const satisfies Role[];
const proposalReaders = ["compliance", "approver", "operator", "auditor", "admin"] as const satisfies Role[];

/** Who may say yes or no to a hold that somebody else has placed. */
export const holdApprovers = ["approver", "compliance", "admin"] as const satisfies Role[];

/** What is a person's own, and also theirs none of whose roles is in force yet. */
const own = { roles, personOnly: true, own: true } as const satisfies Access;

/**
 * Method and path → who may. A route that is not here, and a row that is no route, stop the start: none is open, and none
 * loses what is asked of it, by being forgotten.
 *
 * `personOnly`: no key and no token may, whatever its roles, for an approval, and whom else to trust, is a person's word.
 * `freshMfa`: of a person, a second factor shown within the last minutes: what can't be taken back, and what opens other
 * doors.
 */
export const routeAccess: Readonly<Record<string, Access>> = {
	"POST /v1/messages": { roles: ["sender"] },
	"GET /v1/messages": { roles: readers },
	"GET /v1/messages/:id": { roles: readers },
	"GET /v1/messages/:id/receipt": { roles: readers },
	"GET /v1/messages/:id/decision": { roles: ["sender", "compliance", "operator", "auditor"] },
	"POST /v1/messages/:id/cancel": { roles: ["sender", "operator"] },
	"POST /v1/messages/:id/reveal": { roles: ["compliance"], personOnly: true, freshMfa: true },
	"POST /v1/messages/search": { roles: ["compliance", "auditor"] },
	"POST /v1/messages/check": { roles: ["sender", "compliance"] },
	"POST /v1/batches": { roles: ["sender"] },
	"GET /v1/batches/:id": { roles: readers },

	"POST /v1/templates": { roles: ["compliance", "admin"] },
	"GET /v1/templates": { roles: readers },
	"GET /v1/templates/:id": { roles: readers },
	"POST /v1/templates/:id/retire": { roles: ["compliance", "admin"] },

	"GET /v1/policies": { roles: [...readers, "approver"] },
	"GET /v1/policies/:pack/:version": { roles: [...readers, "approver"] },
	"POST /v1/policy-proposals": { roles: ["compliance"] },
	"GET /v1/policy-proposals": { roles: proposalReaders },
	"GET /v1/policy-proposals/:id": { roles: proposalReaders },
	"POST /v1/policy-proposals/:id/check": { roles: ["compliance"] },
	"POST /v1/policy-proposals/:id/simulate": { roles: ["compliance"] },
	"POST /v1/policy-proposals/:id/approve": { roles: ["approver"], personOnly: true, freshMfa: true },
	"POST /v1/policy-proposals/:id/publish": { roles: ["compliance", "approver"], freshMfa: true },
	"POST /v1/policy-proposals/:id/withdraw": { roles: ["compliance", "approver"] },

	"POST /v1/consents": { roles: ["sender", "compliance"] },
	"GET /v1/consents": { roles: ["compliance", "auditor"] },
	"GET /v1/consents/:id": { roles: ["compliance", "auditor"] },
	"POST /v1/consents/:id/withdraw": { roles: ["sender", "compliance"] },
	"POST /v1/consents/search": { roles: ["compliance", "auditor"] },
	"POST /v1/opt-outs": { roles: ["sender", "compliance"] },
	"GET /v1/opt-outs": { roles: ["compliance", "auditor"] },
	"POST /v1/opt-outs/:id/lift": { roles: ["compliance"] },
	"POST /v1/opt-outs/search": { roles: ["compliance", "auditor"] },
	"POST /v1/recipient-keys/challenges": { roles: ["sender", "compliance"] },
	"POST /v1/recipient-keys": { roles: ["sender", "compliance"] },
	"GET /v1/recipient-keys": { roles: ["compliance", "auditor"] },
	"GET /v1/recipient-keys/:id": { roles: ["sender", "compliance", "auditor"] },
	"POST /v1/recipient-keys/:id/revoke": { roles: ["sender", "compliance"] },
	"POST /v1/recipient-keys/search": { roles: ["sender", "compliance", "auditor"] },
	"GET /v1/sender-keys": { roles: readers },
	"POST /v1/holds": { roles: ["compliance", "admin"] },
	"GET /v1/holds": { roles: ["compliance", "approver", "auditor", "admin"] },
	"POST /v1/holds/:id/approve": { roles: holdApprovers, personOnly: true, freshMfa: true },
	"POST /v1/holds/:id/reject": { roles: holdApprovers, personOnly: true, freshMfa: true },
	"POST /v1/holds/:id/release": { roles: ["compliance", "admin"], freshMfa: true },

	"POST /v1/subject-requests": { roles: ["compliance"] },
	"GET /v1/subject-requests": { roles: ["compliance", "auditor"] },
	"GET /v1/subject-requests/:id": { roles: ["compliance", "auditor"] },
	"GET /v1/subject-requests/log": { roles: ["compliance", "auditor"] },
	"POST /v1/subject-requests/:id/acknowledge": { roles: ["compliance"] },
	"POST /v1/subject-requests/:id/identity": { roles: ["compliance"], freshMfa: true },
	"POST /v1/subject-requests/:id/decide": { roles: ["compliance"], freshMfa: true },
	"POST /v1/subject-requests/:id/extend": { roles: ["compliance"] },
	"POST /v1/subject-requests/:id/close": { roles: ["compliance"] },
	"POST /v1/subject-requests/:id/export": { roles: ["compliance"], freshMfa: true },
	"GET /v1/processing-record": { roles: ["compliance", "auditor"] },

	"GET /v1/certificates": { roles: readers },
	"GET /v1/certificates/:id": { roles: readers },
	"GET /v1/evidence": { roles: ["compliance", "auditor"] },
	"GET /v1/evidence/checkpoint": { roles: ["compliance", "auditor"] },
	"GET /v1/evidence/:index/proof": { roles: ["compliance", "auditor"] },
	"GET /v1/evidence/growth": { roles: ["compliance", "auditor"] },
	"GET /v1/evidence/export": { roles: ["compliance", "auditor"] },

	"POST /v1/api-keys": { roles: ["admin"], freshMfa: true },
	"GET /v1/api-keys": { roles: ["admin", "auditor"] },
	"GET /v1/api-keys/:id": { roles: ["admin", "auditor"] },
	"POST /v1/api-keys/:id/rotate": { roles: ["admin"], freshMfa: true },
	"POST /v1/api-keys/:id/revoke": { roles: ["admin"], freshMfa: true },
	"POST /v1/verifications": { roles: ["sender"] },
	"GET /v1/verifications/:id": { roles: ["sender", "operator", "auditor", "admin"] },
	"POST /v1/verifications/:id/check": { roles: ["sender"] },

	"POST /v1/webhook-endpoints": { roles: ["admin"] },
	"GET /v1/webhook-endpoints": { roles: ["sender", "operator", "auditor", "admin"] },
	"GET /v1/webhook-endpoints/:id": { roles: ["sender", "operator", "auditor", "admin"] },
	"POST /v1/webhook-endpoints/:id/rotate-secret": { roles: ["admin"], freshMfa: true },
	"POST /v1/webhook-endpoints/:id/verify": { roles: ["operator", "admin"] },
	"POST /v1/webhook-endpoints/:id/enable": { roles: ["operator", "admin"] },
	"POST /v1/webhook-endpoints/:id/disable": { roles: ["operator", "admin"] },
	"DELETE /v1/webhook-endpoints/:id": { roles: ["admin"] },
	"GET /v1/webhook-endpoints/:id/deliveries": { roles: ["operator", "auditor", "admin"] },
	"POST /v1/webhook-endpoints/:id/replay": { roles: ["operator", "admin"] },

	"GET /v1/people": { roles: ["admin", "auditor"] },
	"GET /v1/people/:id": { roles: ["admin", "auditor"] },
	"POST /v1/people": { roles: ["admin"], personOnly: true, freshMfa: true },
	"POST /v1/people/:id/enrolment": { roles: ["admin"], personOnly: true, freshMfa: true },
	"POST /v1/people/:id/roles": { roles: ["admin"], personOnly: true, freshMfa: true },
	"POST /v1/people/:id/confirm": { roles: ["admin", "approver"], personOnly: true, freshMfa: true },
	"POST /v1/people/:id/end": { roles: ["admin"], personOnly: true, freshMfa: true },

	// One's own.
	"GET /v1/session": own,
	"POST /v1/session/end": own,
	"POST /v1/session/password": { ...own, freshMfa: true },
	"POST /v1/session/recovery-codes": { ...own, freshMfa: true },
	"GET /v1/sessions": own,
	"POST /v1/sessions/:id/end": own,
	"GET /v1/passkeys": own,
	"POST /v1/passkeys": { ...own, freshMfa: true },
	"POST /v1/passkeys/options": own,
	"POST /v1/passkeys/:id/remove": { ...own, freshMfa: true },

	"GET /v1/alerts": { roles: ["compliance", "operator", "admin"] },
	"GET /v1/queues": { roles: ["operator", "admin"] },
	"POST /v1/queues/:id/pause": { roles: ["operator", "admin"] },
	"POST /v1/queues/:id/resume": { roles: ["operator", "admin"] },
	"POST /v1/queues/:id/drain": { roles: ["operator", "admin"] },
	"POST /v1/queues/:id/settings": { roles: ["operator", "admin"] },
	"GET /v1/sending-limits": { roles: ["operator", "admin"] },
	"POST /v1/sending-limits": { roles: ["operator", "admin"] },
};
