#pragma once

#include <string_view>

namespace hpb::app {

/// The web page behind `hpb demo`: one file, no script, nothing loaded from elsewhere.
inline constexpr std::string_view kDemoPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hybrid Port Bridge</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 44rem; margin: 3rem auto; padding: 0 1.25rem; }
  h1 { font-size: 1.6rem; }
  pre { overflow-x: auto; padding: 1rem; border: 1px solid #8886; border-radius: .5rem; line-height: 1.35; }
  code { font: .92em ui-monospace, monospace; }
</style>
</head>
<body>
<h1>This page came through the bridge</h1>
<p>Your browser spoke to a port of the <b>client agent</b>. The bytes went over TLS to the <b>relay</b>, from
there over TLS to the <b>service agent</b>, and from it to the small web server that answered.
Neither agent accepts connections from the relay: both dialled out.</p>
<pre>browser --tcp--&gt; client agent --wss--&gt; relay &lt;--wss-- service agent --tcp--&gt; this web server</pre>
<p>To bridge something of your own, start the demonstration with a target:</p>
<pre><code>hpb demo --target localhost:5432 --port 15432</code></pre>
<p>In real use the three parts run on three machines; the README shows the three commands.</p>
</body>
</html>
)html";

}  // namespace hpb::app
