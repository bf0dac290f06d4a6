# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The HTML of the report: a `string.Template` in Python, so that a wheel needs no data file."""

# ruff: noqa: E501, W291
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title &#183; anymo-hf</title>
<style>
:root { --ink: #22303c; --soft: #5b6b78; --line: #dfe5ea; --tint: #f3f6f8; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--tint); font: 17px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 20px 60px; }
header { margin-bottom: 24px; }
.kicker { color: var(--accent); font-weight: 600; letter-spacing: .02em; margin: 0 0 4px; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 10px; }
h2 { font-size: 1.35rem; margin: 0 0 6px; }
p { margin: 0 0 14px; max-width: 46em; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .92rem; }
section { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 24px; margin-bottom: 20px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(135px, 1fr)); gap: 12px; margin: 0 0 18px; }
dl div { background: var(--tint); border-radius: 8px; padding: 10px 14px; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.3rem; font-weight: 650; }
.wide { overflow-x: auto; margin: 6px 0 0; }
img { display: block; width: 100%; height: auto; margin: 0 auto; }
img.portrait { max-width: 860px; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
td, th { text-align: left; padding: 6px 12px 6px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; border-top: 0; }
td:not(:last-child) { white-space: nowrap; overflow-wrap: normal; }
pre { background: var(--tint); border-radius: 8px; padding: 16px; overflow-x: auto; font: .86rem/1.5 ui-monospace, Consolas, "DejaVu Sans Mono", monospace; margin: 0; }
details summary { cursor: pointer; color: var(--accent); }
@media (max-width: 640px) {
  body { font-size: 16px; }
  main { padding: 20px 10px 40px; }
  section { padding: 16px 14px; border-radius: 8px; }
  h1 { font-size: 1.6rem; }
  .wide img { width: 720px; max-width: none; }
}
</style>
</head>
<body>
<main>
<header>
<p class="kicker">anymo-hf: simulated wearable sensors</p>
<h1>$title</h1>
<p>A sensor on the body reads the motion through the place where it is worn. This page takes one motion, puts sensors
on the person's skin and shows what they would read.$shown</p>
</header>

<section>
<h2>The motion</h2>
<dl>
<div><dt>lasts</dt><dd>$duration</dd></div>
<div><dt>poses</dt><dd>$frames</dd></div>
<div><dt>poses per second</dt><dd>$frame_rate</dd></div>
<div><dt>sensor rate</dt><dd>$sampling_rate</dd></div>
</dl>
<div class="wide"><img src="$filmstrip_picture" alt="Filmstrip of the body at equal steps of time, with the texts below"></div>
<p class="soft">$source</p>
<details open><summary>What is said about it</summary>
<table><tr><th>when</th><th>kind</th><th>text</th></tr>
$texts
</table></details>
</section>

<section>
<h2>The sensors</h2>
<p>Worn at: $sensor_names. An arrow shows where a sensor's z axis
points, away from the skin. A ring marks a sensor that the body hides in that view.</p>
<div class="wide"><img class="portrait" src="$sensors_picture" alt="The body from the front and from the right side with the sensors marked: $sensor_names"></div>
</section>

<section>
<h2>What they read</h2>
<p>On the left the specific force, which is what an accelerometer measures: at rest it shows gravity, 9.8&nbsp;m/s&#178;
upwards. On the right the angular rate of the gyroscope. The same motion looks different at every place.</p>
<div class="wide"><img src="$signals_picture" alt="Force and angular rate over time for each of $sensor_names"></div>
</section>

<section>
<h2>How fast it changes</h2>
<p>The higher the line, the more of the signal is motion of that frequency. Steps and their multiples stand out as
peaks.</p>
<div class="wide"><img src="$spectra_picture" alt="Amplitude spectra of force and angular rate for each of $sensor_names"></div>
</section>

<section>
<h2>Sensors everywhere</h2>
<p>Any other spot costs almost nothing. Here are $num_dense sensors all over the skin, coloured by how strongly each is
shaken. A model that has seen them all need not be told where its sensor will be.</p>
<div class="wide"><img class="portrait" src="$dense_picture" alt="$num_dense dots on the body from the front and from behind, coloured by the rms of the force beyond gravity"></div>
<dl>
<div><dt>simulating $dense_seconds of them took</dt><dd>$took</dd></div>
<div><dt>sensor readings per second</dt><dd>$speed</dd></div>
<div><dt>on this machine, threads</dt><dd>$threads</dd></div>
</dl>
</section>

<section>
<h2>What a real device changes</h2>
<p>Real sensors have noise, an offset, a scale that is a little wrong and axes that are not quite square. Above: an ideal
sensor and one drawn from the errors of the &#8220;$device&#8221; preset. Below: the difference, magnified.</p>
<div class="wide"><img src="$noise_picture" alt="Ideal and noisy force and angular rate, and their difference"></div>
</section>

<section>
<h2>What wearing it differently changes</h2>
<p>The same spot, with the device turned. Every axis reads something else; only the length of the vector stays. So a
model must not rely on axes that nobody promised.</p>
<div class="wide"><img src="$mounting_picture" alt="Force and angular rate of one spot for three mountings, and the vectors' lengths, which agree"></div>
</section>

$more
<section>
<h2>Do it yourself</h2>
<pre><code>$code</code></pre>
</section>
<p class="soft">Made by anymo-hf $version. The page holds everything it shows; it loads nothing from the network.</p>
</main>
</body>
</html>
"""
