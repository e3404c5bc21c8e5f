def text(*a): return ""
def write(*a): pass
