def page(p):
    return str(p)
