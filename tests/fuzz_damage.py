"""Hypothesis strategies for damage such as disks, cables and editors cause."""

import hypothesis.strategies as st


@st.composite
def damaged(draw, files):
    """Draw one of these files (bytes) with up to four pieces cut out, overwritten, inserted or repeated."""
    content = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(0, 4))):
        # most of what decides is in the header
        start = draw(st.integers(0, min(64, len(content))) | st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 8) | st.integers(0, len(content))))
        piece = draw(st.binary(max_size=8) | st.sampled_from([b"\0" * 64, b"\xff" * 64, content[start:end]]))
        kept = draw(st.sampled_from([start, end, min(len(content), start + len(piece))]))
        content = content[:start] + piece + content[kept:]
    return content


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([0, -1, 1, 2**31, 2**63, 10**400, 1e308, 5e-324, "fp32", "ace", "../model", "\0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def edited(draw, values):
    """Draw parsed JSON with up to three values, at any depth, changed, removed or given new neighbours."""
    values = _copied(values)
    for _ in range(draw(st.integers(0, 3))):
        place = values
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            action = draw(st.sampled_from(["other", "gone", "neighbour"]))
            if action == "gone":
                del place[key]
            elif action == "other":
                place[key] = draw(json_values)
            elif isinstance(place, dict):
                place[draw(st.text(max_size=5))] = draw(json_values)
            else:
                place.append(draw(json_values))
            break
    return values


def _copied(values):
    if isinstance(values, dict):
        return {key: _copied(value) for key, value in values.items()}
    return [_copied(value) for value in values] if isinstance(values, list) else values
