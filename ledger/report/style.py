"""How a report looks: on a screen, in the dark, and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--paper:#fcfbf8;--ink:#23282c;--soft:#6a7178;--line:#e4e1d9;
--card:#f5f3ee;--good:#2c7a4d;--bad:#b1362a;--a:#1f6f78;--b:#b0662e;--c:#6b5b95;--d:#7d8a2e;
--e:#9a4868;--f:#4c6f9c;--g:#8a8f94}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#dadddf;--soft:#949ba1;
--line:#2c3135;--card:#1c2023;--good:#66b988;--bad:#e0776b;--a:#5fb3bd;--b:#d8935f;--c:#a99bd0;
--d:#b3bf62;--e:#cf86a3;--f:#86a8d4;--g:#80868b}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#555;--line:#ccc}
section{break-inside:avoid-page}body{font-size:9.5pt}main{max-width:none;padding:0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:3rem 1.5rem 4rem}
header{border-bottom:1px solid var(--line);padding-bottom:1.75rem;margin-bottom:.5rem}
.over{color:var(--soft);font-size:.86rem;overflow-wrap:anywhere}
h1{font-size:2.1rem;line-height:1.2;font-weight:600;letter-spacing:-.015em;margin:.35rem 0 .6rem}
h1.good::before,h1.bad::before{content:"";display:inline-block;width:.62em;height:.62em;
border-radius:50%;margin-right:.45em;background:var(--good)}
h1.bad::before{background:var(--bad);border-radius:.12em}
.lead{font-size:1.06rem;max-width:46rem;margin:0}
h2{font-size:1.18rem;font-weight:600;margin:0 0 .3rem;letter-spacing:-.005em}
h3{font-size:1rem;font-weight:600;margin:1.4rem 0 .25rem}
section{margin-top:2.9rem}
p.about{color:var(--soft);margin:0 0 .9rem;max-width:46rem;font-size:.92rem}
.figures{display:flex;flex-wrap:wrap;gap:.4rem 2.4rem;margin:1.5rem 0 0;padding:0}
.figures div{min-width:5.5rem}
.figures dt{color:var(--soft);font-size:.8rem}
.figures dd{margin:0;font-size:1.28rem;font-weight:600}
ul.checks{list-style:none;margin:.5rem 0 0;padding:0}
ul.checks li{padding:.34rem 0 .34rem 1.7rem;position:relative}
ul.checks li::before{content:"\\2713";color:var(--good);position:absolute;left:.2rem;
font-weight:700}
ul.checks li.bad::before{content:"\\2717";color:var(--bad)}
ul.checks li.bad b{color:var(--bad)}
ul.checks li.idle{color:var(--soft)}
ul.checks li.idle::before{content:"\\2013";color:var(--soft)}
ul.findings{list-style:none;margin:0;padding:0}
ul.findings li{border-left:3px solid var(--bad);background:var(--card);padding:.5rem .85rem;
margin:.5rem 0;overflow-wrap:anywhere}
ul.findings .kind{color:var(--bad);font-weight:600;margin-right:.5em}
ul.findings .where{color:var(--soft);font-size:.85rem;display:block}
ul.notes{margin:.4rem 0 0;padding-left:1.1rem;color:var(--soft);overflow-wrap:anywhere;
font-size:.9rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{text-align:left;font-weight:500;color:var(--soft);font-size:.8rem;vertical-align:bottom}
th,td{padding:.42rem .9rem .42rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
td{overflow-wrap:break-word}
.n{text-align:right;white-space:nowrap}
tfoot td{font-weight:600;border-bottom:0}
.n+td,.n+th{padding-left:.9rem}
.nb{white-space:nowrap}
.soft{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}
.small{font-size:.82rem}
h1.good,h1.bad{color:inherit}
code,.id{font:.86em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}.id{white-space:nowrap}
.scroll{overflow-x:auto}
svg{display:block;width:100%;height:auto;margin:.6rem 0 .2rem}
svg text{font:12px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
fill:var(--ink);unicode-bidi:isolate}
svg .soft{fill:var(--soft)}svg .lane,svg .grid{stroke:var(--line)}
svg .a{fill:var(--a)}svg .b{fill:var(--b)}svg .c{fill:var(--c)}svg .d{fill:var(--d)}
svg .e{fill:var(--e)}svg .f{fill:var(--f)}svg .g{fill:var(--g)}
svg .band{fill-opacity:.42}
.bar{display:flex;height:.85rem;border-radius:.2rem;overflow:hidden;background:var(--line);
margin:.4rem 0 .6rem}
.bar i{display:block;min-width:2px}
i.a{background:var(--a)}i.b{background:var(--b)}i.c{background:var(--c)}i.d{background:var(--d)}
i.e{background:var(--e)}i.f{background:var(--f)}i.g{background:var(--g)}
i.dot{display:inline-block;width:.7em;height:.7em;border-radius:.15em;margin-right:.5em}
.contract{border-top:1px solid var(--line);padding:.9rem 0 .4rem}
.contract:first-of-type{border-top:0}
.contract ul{margin:.25rem 0 .5rem;padding-left:1.15rem;max-width:46rem}
.contract li.in{list-style:none;margin-left:1.15rem}
.contract .cols{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:0 2rem}
.contract h4{font-size:.8rem;font-weight:500;color:var(--soft);margin:.5rem 0 0}
ul.tree,ul.tree ul{list-style:none;margin:0;padding:0}
ul.tree ul{margin-left:.55rem;border-left:1px solid var(--line)}
ul.tree ul li{position:relative;padding:.24rem 0 .24rem 1.3rem}
ul.tree ul li::before{content:"";position:absolute;left:0;top:1rem;width:.85rem;
border-top:1px solid var(--line)}
ul.tree ul li:last-child::after{content:"";position:absolute;left:-1px;top:1.05rem;bottom:0;
border-left:1px solid var(--paper)}
footer{margin-top:3.4rem;border-top:1px solid var(--line);padding-top:1rem;color:var(--soft);
font-size:.84rem}
footer p{max-width:46rem;margin:.35rem 0}
"""
