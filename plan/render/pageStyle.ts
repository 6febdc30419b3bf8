/**
 * The style of every page: of the commands' pages, and of the page that a node shows during its onboarding. It follows the
 * reader's setting of light or dark.
 */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430; --dim: #566173; --line: #cdd4de;
  --ok: #14733b; --warn: #8a5300; --fail: #b3261e; --skip: #566173; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1b212a; --text: #e7ebf1; --dim: #a3adbb; --line: #3a4453;
    --ok: #5fd38d; --warn: #f0b357; --fail: #ff8a80; --skip: #a3adbb; }
}
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2.25rem 0 .75rem; font-size: 1.15rem; }
.dim { color: var(--dim); margin: .25rem 0 0; }
.ok { --level: var(--ok); } .warn { --level: var(--warn); } .fail { --level: var(--fail); } .skip { --level: var(--skip); }
.verdict { color: var(--level); font-weight: 600; }
.wide { overflow-x: auto; }
svg { max-width: 100%; height: auto; margin-top: 1.5rem; font: 13px/1 system-ui, sans-serif; }
svg text { fill: var(--dim); } svg .place, svg .name { fill: var(--text); font-weight: 600; }
svg .frame { fill: none; stroke: var(--line); } svg .card rect { fill: var(--card); stroke: var(--level); stroke-width: 1.5; }
svg .state { fill: var(--level); } td.state { color: var(--level); } td.message { white-space: normal; overflow-wrap: anywhere; }
a { color: inherit; }
table { border-collapse: collapse; width: 100%; background: var(--card); font-size: .9rem; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--dim); font-weight: 600; }
ul { list-style: none; margin: 0; padding: 0; }
li { background: var(--card); border-left: 4px solid var(--level); margin: 0 0 .5rem; padding: .55rem .9rem; overflow-wrap: anywhere; }
li b { color: var(--level); margin-right: .5rem; } code { display: block; margin-top: .25rem; color: var(--dim); font-size: .9rem; white-space: pre-wrap; }
`;
