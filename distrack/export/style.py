"""How the HTML of a comparison looks: light and dark, wide and narrow, and on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbf9f6; --card: #f1ece6; --ink: #231b2e; --quiet: #655b6d; --line: #ddd3ca;
  --link: #8c2981; --accent: 168 50 110; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15111c; --card: #211a2b; --ink: #f3ecf2; --quiet: #b3a7b8; --line: #3b3148; --link: #f39bbf;
    --accent: 224 86 143; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2.4rem; line-height: 1.15; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.6rem; line-height: 1.2; margin: 3.2rem 0 .6rem; padding-top: 1.2rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.2rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
h4 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, ul { max-width: 48rem; margin: .5rem 0; }
a { color: var(--link); }
.quiet, caption, figcaption { color: var(--quiet); font-size: .92rem; }
.note { border-left: 4px solid rgb(var(--accent)); background: var(--card); padding: .6rem 1rem; border-radius: .4rem;
  max-width: none; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; padding: 0; max-width: none; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scores { width: 100%; }
.scores tbody th[scope="row"] { font-weight: 400; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: baseline; }
thead th { font-weight: 600; border-bottom: 2px solid var(--line); vertical-align: bottom; white-space: nowrap; }
table:not(.matrix) :is(tbody tr + tr > *, tbody + tbody tr:first-child > *) { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; }
tbody th.of { padding-top: 1rem; font-weight: 650; overflow-wrap: anywhere; }
tbody th.of span { color: var(--quiet); font-weight: 400; margin-left: .8rem; }
.n { text-align: right; white-space: nowrap; }
.id { overflow-wrap: anywhere; min-width: 13rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .5rem 1.4rem;
  margin: .8rem 0; }
dt { color: var(--quiet); font-size: .88rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
.chart svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.chart svg text { font-family: Arial, "Liberation Sans", Helvetica, sans-serif; }
@media (max-width: 44rem) { .chart { overflow-x: auto; } .chart svg { max-width: none; } }
.tracks { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: 1.1rem 1rem;
  margin: 1rem 0; padding: 0; list-style: none; max-width: none; }
.tracks figure { margin: 0; }
.tracks img { display: block; width: 100%; border-radius: .5rem; }
.tracks audio { display: block; width: 100%; height: 2.4rem; margin-top: .4rem; }
.tracks strong { color: var(--ink); font-size: 1rem; overflow-wrap: anywhere; }
.matrix { border-spacing: 2px; border-collapse: separate; font-size: .88rem; }
.matrix th { font-weight: 500; padding: .1rem .5rem .1rem 0; border: 0; vertical-align: middle; max-width: 14rem;
  overflow-wrap: anywhere; white-space: normal; }
.matrix thead th { padding: .1rem; text-align: center; }
.matrix thead td { background: none; }
.matrix tbody td { min-width: 2.7rem; height: 2rem; padding: 0 .2rem; text-align: center; vertical-align: middle;
  border-radius: .25rem; background: rgb(var(--accent) / calc(.05 + .6 * var(--s, 0))); }
.matrix.many { border-spacing: 1px; font-size: .72rem; }
.matrix.many tbody td { min-width: .85rem; height: .85rem; padding: 0; border-radius: 2px;
  background: rgb(var(--accent) / calc(.06 + .94 * var(--s, 0))); }
.matrix.many th { line-height: 1; white-space: nowrap; }
.matrix.many thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: .2rem 0; }
details { margin: .8rem 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--card); padding: .8rem 1rem; border-radius: .4rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .86rem; }
footer { margin-top: 3rem; }
@media print { .wide { overflow: visible; } audio { display: none; } .tracks li, .chart { break-inside: avoid; } }
"""
