// What a principal may be allowed, in words that keys, tokens and people share; api/roles.ts says which route asks for which.

export const roles = ["sender", "compliance", "approver", "operator", "auditor", "admin"] as const;
export type Role = (typeof roles)[number];

/** What a key or token can be: approvals are people's, who sign in with MFA. */
export const machineRoles = roles.filter((role) => role !== "approver");
