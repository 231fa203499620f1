/** Where programs find mDNSResponder; a Mac's own path, and nss/mac.c has it too. */
export const responderSocket = '/var/run/mDNSResponder';
