"""an image classifier"""
