"""an image classifier, from files"""
