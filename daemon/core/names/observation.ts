/** What is seen of names: the server of the zone, and what this Mac knows of it. Data alone. */
import type { Seen } from '../observation.js';

/** How it stands with the server; `serving`: it has answered on that port of 127.0.0.1. */
export type NamesServing =
  | { readonly state: 'off' | 'starting' }
  | { readonly state: 'serving'; readonly port: number }
  | { readonly state: 'failed'; readonly why: string };

/** The folder in which macOS looks for resolvers of single zones (resolver.5). */
export interface ResolverFolder {
  /** Whether it is there. */
  readonly exists: boolean;
  /** Why root puts nothing there, as the rest of a sentence; null: root alone decides what is in it. */
  readonly distrust: string | null;
  /** The files in it that tuntapd put there, by name, with their whole text. */
  readonly ours: Readonly<Record<string, string>>;
  /** What of somebody else's is for the zone, in its file's place or by its own words, as a sentence; null: nothing. */
  readonly foreign: string | null;
}

/** What macOS made of the zone’s file (scutil --dns). */
export interface TakenResolver {
  /** Whether it can be asked although this Mac has no network. */
  readonly isOffline: boolean;
}

export interface NamesObservation {
  readonly server: NamesServing;
  readonly folder: Seen<ResolverFolder>;
  /** Null: macOS does not ask our server for the zone. */
  readonly taken: Seen<TakenResolver | null>;
}
